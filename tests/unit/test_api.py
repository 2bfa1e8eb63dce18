"""The HTTP API on a real server: what it shows, and how it refuses; also run on PostgreSQL in tests/integration."""

import re
from datetime import datetime, timedelta

import pytest
from api_samples import VOICE, Client, a_key, fill, running, subject_path
from db_samples import MONDAY, a_model, a_recording, a_result, days_later, new_sqlite, score_all

from db import api_audit, api_keys, jobs, models, people, recordings
from db.reasons import Lane, Scope
from telemetry import metrics

NOTES, DAYS = subject_path("anna", "/notes"), subject_path("anna", "/days")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return new_sqlite(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def port(engine):
    fill(engine)
    with running(engine) as port:
        yield port


@pytest.fixture(scope="module")
def app(engine, port):
    return Client(port, a_key(engine))


@pytest.fixture(scope="module")
def clinic(engine, port):
    return Client(port, a_key(engine, "clinic"))


def test_a_note_says_what_the_database_knows_and_no_place_in_storage(app):
    note = app.get("/v1/notes/1").json

    assert note["recorded_at"].endswith("+01:00")
    assert datetime.fromisoformat(note["recorded_at"]) == MONDAY
    assert (note["subject"], note["day"], note["time_zone"]) == ("anna", MONDAY.date().isoformat(), "Europe/Berlin")
    assert (note["status"], note["label"], note["arousal"]) == ("scored", "sadness", 0.5)
    assert note["scores"] == pytest.approx(a_result().scores)
    assert note["voice"] == VOICE
    assert app.get("/v1/notes/2").json["voice"] is None
    assert note["model"] == {"name": "whisper3", "version": "1.0"}
    assert not {"store", "bucket", "key", "version_tag"} & set(note)
    assert all(RFC_3339.fullmatch(note[name]) for name in ("recorded_at", "uploaded_at", "scored_at"))


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 500])
def test_pages_of_notes_are_the_whole_list(app, order, limit):
    found = app.pages(NOTES, "notes", order=order, limit=limit)

    ids = [note["id"] for note in found]
    assert ids == ([6, 5, 4, 3, 2, 1, 7] if order == "newest" else [1, 2, 3, 4, 5, 6, 7])


def test_notes_are_chosen_by_day_state_and_model(app):
    def ids(**chosen):
        return sorted(note["id"] for note in app.get(NOTES, **chosen).json["notes"])

    assert ids(since=days_later(1).date(), until=days_later(2).date()) == [2, 3]
    assert ids(status="failed") == [3]
    assert ids(status="no_speech") == [2]
    assert ids(model="1.0") == ids(model="whisper3-1.0") == ids()
    assert app.get(NOTES, model="9").status == 404


def test_segments_are_read_in_pages(app):
    segments = app.pages("/v1/notes/1/segments", "segments", limit=1)

    assert [(row["idx"], row["start_ms"]) for row in segments] == [(0, 0), (1, 4500)]
    assert app.get("/v1/notes/2/segments").json["segments"] == []


def test_models_are_listed_without_their_folder(app):
    (model,) = app.get("/v1/models").json["models"]

    assert (model["name"], model["version"], model["state"], model["is_active"]) == ("whisper3", "1.0", "active", True)
    assert "folder" not in model


def test_health_and_document_need_no_key(port):
    stranger = Client(port)

    assert [stranger.get(path).status for path in ("/healthz", "/readyz", "/openapi.json")] == [200, 200, 200]
    assert stranger.get("/openapi.json").json["openapi"].startswith("3.1")


def is_problem(answer, status, kind):
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["type"] == f"urn:tonalog:problem:{kind}"
    assert answer.json["title"]
    return answer.json


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/notes", "/docs", "/v1/notes/1/", "/v1/trend", "/v1/upload"])
def test_an_unknown_path_is_a_problem(app, path):
    is_problem(app.get(path), 404, "no-route")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_method_that_is_not_possible_is_a_problem(app, method):
    problem = app.ask(method, "/v1/notes/1")

    is_problem(problem, 405, "method-not-allowed")
    assert problem.headers["allow"] == "GET"


def test_whoever_asks_makes_up_no_label_of_a_metric(app):
    for method in ("BREW", "x" * 100):
        app.ask(method, "/v1/notes/1")
        app.ask(method, "/anna")

    told = [sample.labels for family in metrics.API.collect() for sample in family.samples if "method" in sample.labels]
    assert {labels["method"] for labels in told} <= {
        "GET",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "HEAD",
        "other",
    }
    assert "other" in {labels["method"] for labels in told}
    assert not [labels for labels in told if "anna" in labels["route"]]


@pytest.mark.parametrize("path", [subject_path("nobody", "/notes"), subject_path("nobody", "/days"), "/v1/notes/99"])
def test_who_is_not_there_is_a_problem(app, path):
    is_problem(app.get(path), 404, "not-found")


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "\ud800", "x" * 201, " ", "."])
def test_a_name_that_nobody_can_have_is_a_problem(app, name):
    path = "/v1/subjects/" + "".join(f"%{byte:02X}" for byte in name.encode(errors="surrogatepass")) + "/notes"

    assert app.get(path).status in {404, 422}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "1_0"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"since": "yesterday"}, "since"),
        ({"since": "0"}, "since"),
        ({"since": "2026-02-30"}, "since"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "until"),
        ({"status": "done"}, "status"),
        ({"order": "up"}, "order"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"sinse": "2026-03-01"}, "sinse"),
        ({"limit": [1, 2]}, "limit"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named_with_its_value(app, parameters, named):
    problem = is_problem(app.get(NOTES, **parameters), 422, "invalid-parameter")

    assert named in problem["detail"]
    (error,) = problem["errors"]
    assert (error["in"], error["name"]) == ("query", named)
    assert error["message"]


@pytest.mark.parametrize("note_id", ["0", "-1", "1.5", "1_0", "x", str(2**63), "\u0661"])
def test_an_id_that_is_no_number_is_a_problem(app, note_id):
    path = "/v1/notes/" + "".join(f"%{byte:02X}" for byte in note_id.encode())

    is_problem(app.get(path), 422, "invalid-parameter")


def cursor_of(app, path=NOTES, **parameters):
    return app.get(path, limit=1, **parameters).json["next_cursor"]


def test_a_cursor_is_good_for_its_own_question_only(app):
    cursor = cursor_of(app, order="oldest")

    assert app.get(NOTES, order="oldest", cursor=cursor).status == 200
    for path, others in ((NOTES, {}), (DAYS, {"order": "oldest"}), ("/v1/changes", {}), ("/v1/erasures", {})):
        is_problem(app.get(path, cursor=cursor, **others), 422, "invalid-parameter")


def test_a_changed_cursor_is_refused_or_shows_nothing_of_another_tenant(app, clinic):
    cursor = cursor_of(app)
    own = {note["id"] for note in clinic.pages(NOTES, "notes")}

    for at in range(0, len(cursor), 4):
        answer = clinic.get(NOTES, cursor=cursor[:at] + "A" + cursor[at + 1 :])
        assert answer.status in {200, 422}, answer.body
        assert {note["id"] for note in answer.json.get("notes", [])} <= own


@pytest.mark.parametrize("path", ["/v1/notes/1", NOTES, DAYS, "/v1/models", "/v1/changes", "/v1/notes/1/segments"])
def test_what_has_not_changed_is_not_sent_again(app, path):
    first = app.get(path)
    tag = first.headers["etag"]

    same = app.ask("GET", path, headers={"If-None-Match": f'"other", W/{tag}'})

    assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    assert app.ask("GET", path, headers={"If-None-Match": '"other"'}).body == first.body
    assert first.headers["cache-control"] == "private, no-cache"


def test_head_is_get_without_a_body(app):
    head, get = app.ask("HEAD", "/v1/notes/1"), app.get("/v1/notes/1")

    assert (head.status, head.body) == (200, b"")
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == str(len(get.body))


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer x", "Basic dTpw", "Bearer tonalog_" + "A" * 43, "Bearer \xe4"]
)
def test_without_a_key_nothing_is_answered(port, sent):
    headers = {} if sent is None else {"Authorization": sent}

    answer = Client(port).ask("GET", "/v1/models", headers=headers)

    is_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


def test_expired_and_revoked_keys_are_refused_at_once(engine, port):
    made = api_keys.create(engine, "default", name="x", scopes=[Scope.READ])
    short = a_key(engine, lifetime=timedelta(microseconds=1))
    assert Client(port, made.secret).get("/v1/models").status == 200

    api_keys.revoke(engine, made.key.id)

    assert [Client(port, secret).get("/v1/models").status for secret in (made.secret, short)] == [401, 401]


def test_a_scope_is_what_a_key_may_do(engine, port, app):
    writer = Client(port, a_key(engine, "default", Scope.WRITE))

    is_problem(writer.get("/v1/models"), 403, "scope-missing")
    is_problem(app.ask("DELETE", subject_path("anna")), 403, "scope-missing")


def test_a_person_is_found_by_former_names_and_with_a_slash(engine, port, app):
    recordings.register(engine, [a_recording("odd.wav", subject="a/b c?#%2F")])
    people.rename(engine, "ben", "benjamin")

    assert app.get(subject_path("a/b c?#%2F", "/notes")).json["notes"][0]["subject"] == "a/b c?#%2F"
    assert app.get(subject_path("ben", "/notes")).json["notes"][0]["subject"] == "benjamin"


def test_a_persons_rows_are_not_erased_as_if_they_were_a_person(engine, port):
    writer = Client(port, a_key(engine, "default", Scope.WRITE))

    is_problem(writer.ask("DELETE", "/v1/subjects/anna/notes"), 405, "method-not-allowed")
    is_problem(writer.ask("DELETE", subject_path("anna/notes")), 404, "not-found")


def test_each_answer_to_a_key_is_audited_without_what_was_asked_for_in_vain(engine, app):
    app.get(NOTES)
    app.get("/v1/notes/1")
    app.get(subject_path("canary-nobody", "/notes"))

    nobody, one, listed = api_audit.read(engine, tenant="default", limit=3)
    assert (listed.route, listed.subject, listed.status) == ("/v1/subjects/{subject}/notes", "anna", 200)
    assert (one.recording_id, one.subject) == (1, "anna")
    assert (nobody.subject, nobody.status) == (None, 404)


def test_what_is_logged_names_nobody(app, caplog):
    caplog.set_level("DEBUG")

    app.get(NOTES)
    app.get(subject_path("canary-nobody", "/notes"))

    assert "answered" in caplog.text
    written = caplog.text + "".join(str(vars(record)) for record in caplog.records if record.name.startswith("api"))
    assert "canary" not in written
    assert "anna" not in written


def test_a_first_run_names_every_note_and_passes_into_the_feed(tmp_path):
    engine = new_sqlite(tmp_path)
    fill(engine)
    with running(engine) as port:
        app = Client(port, a_key(engine))

        told, cursor = app.follow(limit=3)
        assert sorted({change["note_id"] for change in told}) == list(range(1, 9))
        assert {change["note"]["subject"] for change in told} == {"anna", "ben"}

        recordings.register(engine, [a_recording("anna/0.wav", "v2", subject="anna"), a_recording("new.wav")])
        jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
        score_all(engine)
        models.activate(engine, models.add_model(engine, a_model("2.0")).id, force=True)
        more, cursor = app.follow(cursor, limit=2)

        last = {change["note_id"]: change for change in more if change["note_id"]}
        assert {note_id: change["type"] for note_id, change in last.items()} == {
            1: "note.deleted",
            12: "note.upserted",
            13: "note.upserted",
        }
        assert last[1]["reason"] == "replaced"
        assert [change["model"]["version"] for change in more if change["type"] == "model.activated"] == ["2.0"]
        assert app.follow(cursor) == ([], cursor)


def test_the_document_says_what_numbers_a_parameter_takes(app):
    numbers = [
        (parameter["name"], parameter["schema"])
        for methods in app.get("/openapi.json").json["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["schema"].get("type") == "integer"
    ]

    assert {name: (schema.get("minimum"), schema.get("maximum")) for name, schema in numbers} == {
        "limit": (1, 500),
        "note_id": (1, 2**63 - 1),
        "erasure_id": (1, 2**63 - 1),
        "export_id": (1, 2**63 - 1),
        "endpoint_id": (1, 2**63 - 1),
        "delivery_id": (1, 2**63 - 1),
    }
