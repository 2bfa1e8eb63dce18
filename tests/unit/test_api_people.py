"""What the API shows of what is kept of a person; also run on PostgreSQL in tests/integration."""

import json

import numpy as np
import pytest
from api_samples import Client, a_key, fill, running, subject_path
from db_samples import MONDAY, a_recording, days_later, new_sqlite, score_all, scores
from kept_rows import USUAL, judge, keep_person
from people_samples import add_model, add_notes, draw_scores
from sqlalchemy import delete, func, insert, select, update

from db import erasures, jobs, recordings
from db.api_schema import changes
from db.erasures import Chosen
from db.people_schema import relative_results, subject_marks
from db.reasons import ErasureScope, Lane
from people import refresh

TREND, DAYS, NOTES = (subject_path("anna", rest) for rest in ("/trend", "/days", "/notes"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return new_sqlite(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def port(engine):
    fill(engine)
    days = [(days_later(n).date(), n % 3) for n in range(5)]
    keep_person(engine, "anna", personal=[4, 5], insufficient=[1], days=days)
    keep_person(engine, "anna", tenant="clinic", personal=[9], days=days[:1])
    with running(engine) as port:
        yield port


@pytest.fixture(scope="module")
def app(engine, port):
    return Client(port, a_key(engine))


def test_a_note_has_both_scores_by_name(app):
    note = app.get("/v1/notes/4").json

    assert note["scores"] == pytest.approx(scores())
    assert note["label"] == "sadness"
    relative = note["relative"]
    assert relative["scores"] == pytest.approx(USUAL)
    assert (relative["label"], relative["confidence"], relative["is_uncertain"]) == ("anger", 0.3, True)
    assert relative["baseline"] == {
        "id": relative["baseline"]["id"],
        "state": "personal",
        "n_notes": 10,
        "rule_version": 1,
    }


def test_of_whom_too_little_is_known_nothing_is_unusual(app):
    relative = app.get("/v1/notes/1").json["relative"]

    assert relative["baseline"] == {"id": None, "state": "insufficient", "n_notes": 0, "rule_version": None}
    assert [relative[name] for name in ("scores", "label", "confidence", "is_uncertain")] == [None] * 4


def test_a_note_without_scores_or_not_looked_at_yet_has_no_relative_ones(app):
    assert [app.get(f"/v1/notes/{n}").json["relative"] for n in (2, 3, 6, 8)] == [None] * 4


def test_lists_and_the_feed_show_the_same_note(app):
    one = app.get("/v1/notes/5").json

    assert one in app.get(NOTES).json["notes"]
    assert one in [change["note"] for change in app.follow()[0]]


def test_a_day_without_a_scored_note_is_there_with_its_counts(app):
    page = app.get(DAYS, order="oldest").json
    first, second = page["days"][:2]

    assert (page["model"]["version"], page["is_up_to_date"]) == ("1.0", True)
    assert (first["n_scored"], first["n_no_speech"], first["n_pending"]) == (0, 1, 2)
    assert [first[name] for name in ("scores", "relative", "levels", "arousal")] == [None] * 4
    assert second["scores"] == pytest.approx(scores())
    assert second["relative"] == pytest.approx(USUAL)
    assert second["levels"] == {"sadness": {"level": -0.4, "error": 0.5}}
    assert second["week"] == MONDAY.date().isoformat()


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_of_days_are_the_whole_list(app, order, limit):
    found = [day["day"] for day in app.pages(DAYS, "days", order=order, limit=limit)]

    expected = [days_later(n).date().isoformat() for n in range(5)]
    assert found == (expected if order == "oldest" else expected[::-1])


def test_days_are_chosen_by_period(app):
    chosen = app.get(DAYS, since=days_later(1).date(), until=days_later(2).date()).json["days"]

    assert [day["day"] for day in chosen] == [days_later(n).date().isoformat() for n in (2, 1)]


def test_a_trend_says_state_reason_and_the_numbers_behind_it(app):
    told = app.get(TREND).json
    trends = {trend["measure"]: trend for trend in told["trends"]}
    expected = judge().as_dict()

    shifted = trends["sadness"]
    assert (shifted["scale"], told["voice"]) == ("log_odds", [])
    assert (shifted["state"], shifted["reason"], shifted["chart"]) == ("shifted_up", "beyond_limit", None)
    assert shifted["since"] == shifted["shift"]["since"] == expected["shift"]["since"]
    assert shifted["evidence"] == expected["evidence"]
    for name in ("recent", "slope", "variation", "shift"):
        assert shifted[name] == pytest.approx(expected[name])
    assert shifted["baseline"]["mean"] == pytest.approx(expected["baseline"]["mean"])
    assert shifted["baseline"]["autocorrelation"] == pytest.approx(expected["baseline"]["rho"])
    assert 0 < shifted["baseline"]["mean_error"] < shifted["baseline"]["sd"]


def test_of_whom_there_is_too_little_a_trend_says_how_much_there_is_and_no_number(app):
    anger = app.get(TREND).json["trends"][0]

    assert (anger["measure"], anger["state"], anger["reason"]) == ("anger", "insufficient", "too_few_baseline_days")
    assert anger["evidence"]["baseline"]["days"] == 20
    assert [anger[name] for name in ("since", "baseline", "recent", "shift", "slope")] == [None] * 5


def test_how_much_is_needed_is_said_beside_how_much_there_is(app, engine):
    recent = {"days": 5, "notes": 5, "speech_s": 60.0}
    with running(engine, trend_baseline_days=90) as port:
        of_ninety = Client(port, a_key(engine)).get(TREND).json["needed"]

    assert app.get(TREND).json["needed"] == {"baseline": {"days": 60, "notes": 60, "speech_s": 600.0}, "recent": recent}
    assert of_ninety == {"baseline": {"days": 90, "notes": 60, "speech_s": 600.0}, "recent": recent}


def test_a_chart_is_given_where_it_is_asked_for(app):
    trend = app.get(TREND, chart="true").json["trends"][1]

    assert trend["chart"][-1] == pytest.approx(judge().as_dict()["chart"][-1])
    assert app.get(TREND, chart="perhaps").status == 422


def test_what_has_not_changed_is_a_304(app):
    for path in (TREND, DAYS):
        tag = app.get(path).headers["etag"]
        assert app.ask("GET", path, headers={"If-None-Match": tag}).status == 304


def test_a_model_that_never_scored_anybody_is_a_404(app):
    assert app.get(TREND, model="9").status == 404
    assert app.get(DAYS, model="9").status == 404
    assert app.get(DAYS, model="1.0").json == app.get(DAYS).json


def test_who_has_been_looked_at_by_nobody_has_no_trends_yet(app, engine):
    with engine.begin() as connection:
        connection.execute(insert(subject_marks), {"tenant": "default", "subject": "ben"})

    told = app.get(subject_path("ben", "/trend")).json

    assert (told["trends"], told["is_up_to_date"]) == ([], False)
    assert app.get(TREND).json["is_up_to_date"] is True


def test_people_of_one_name_in_two_tenants_are_two(app, engine, port):
    clinic = Client(port, a_key(engine, "clinic"))

    assert len(clinic.get(DAYS).json["days"]) == 1
    assert clinic.get("/v1/notes/4").status == 404
    assert "relative" in json.dumps(clinic.get("/v1/notes/9").json)


def test_the_feed_tells_a_note_again_when_its_relative_scores_are_there_or_made_anew(app, engine):
    _, cursor = app.follow()
    c = relative_results.c
    with engine.begin() as connection:
        connection.execute(insert(relative_results), {"recording_id": 6, "model_id": 1, "related_at": MONDAY})
    first, cursor = app.follow(cursor)
    with engine.begin() as connection:
        connection.execute(update(relative_results).where(c.recording_id == 4).values(label="sadness"))
    second, cursor = app.follow(cursor)
    with engine.begin() as connection:
        connection.execute(delete(relative_results).where(c.recording_id == 4))
    third, _ = app.follow(cursor)

    assert [(change["note_id"], change["note"]["relative"] is None) for change in first] == [(6, False)]
    assert [change["note"]["relative"]["label"] for change in second] == ["sadness"]
    assert [(change["note_id"], change["note"]["relative"]) for change in third] == [(4, None)]


def test_what_a_refresh_keeps_is_what_is_shown_and_the_feed_tells_it(tmp_path):
    engine, rng = new_sqlite(tmp_path), np.random.default_rng(0)
    model = add_model(engine)
    ids = add_notes(engine, model, "ana", [draw_scores(rng) for _ in range(12)])
    ana = subject_path("ana")
    with running(engine) as port:
        app = Client(port, a_key(engine))
        before, (_, cursor) = app.get(f"{ana}/days").json, app.follow()

        refresh(engine)

        days, trends = app.get(f"{ana}/days").json, app.get(f"{ana}/trend").json
        told, _ = app.follow(cursor)
        notes = app.get(f"{ana}/notes", order="oldest").json["notes"]
    assert (before["days"], before["is_up_to_date"]) == ([], False)
    assert (len(days["days"]), days["is_up_to_date"], trends["is_up_to_date"]) == (12, True, True)
    assert {day["n_scored"] for day in days["days"]} == {1}
    assert [trend["evidence"]["baseline"]["days"] for trend in trends["trends"]] == [12] * 4
    assert [change["note"] for change in told] == notes
    assert [note["relative"]["baseline"]["n_notes"] for note in notes] == [0, 1, 1, 3, 3, 5, 5, 5, 5, 5, 10, 10]
    assert [note["relative"]["scores"] is not None for note in notes] == [
        note["relative"]["baseline"]["state"] == "personal" for note in notes
    ]
    assert ids == [note["id"] for note in notes]


def test_an_erasure_tells_nothing_of_relative_scores(app, engine):
    recordings.register(engine, [a_recording("gone.wav", subject="gone")])
    jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
    score_all(engine)
    c = changes.c
    with engine.begin() as connection:
        note_id = connection.scalar(select(func.max(c.recording_id)))
        connection.execute(insert(relative_results), {"recording_id": note_id, "model_id": 1, "related_at": MONDAY})
        last = connection.scalar(select(func.max(c.id)))

    erasures.begin(engine, Chosen(subject="gone"), scope=ErasureScope.ALL)

    with engine.begin() as connection:
        told = connection.execute(select(c.kind, c.reason).where(c.id > last)).all()
    # That its job has ended, and that it is gone; of the relative scores that go with it nothing.
    assert [tuple(row) for row in told] == [("note.upserted", None), ("note.deleted", "erased")]
