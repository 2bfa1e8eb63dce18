"""Keys of the HTTP API, the audit of what they asked for, and the notes that they see; also run on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from db_samples import (
    a_model,
    a_recording,
    a_result,
    add_active_model,
    count,
    days_later,
    dump,
    new_sqlite,
    score_all,
    silence,
    take,
)
from sqlalchemy import text

from db import api_audit, api_keys, erasures, jobs, ledger, models, notes, people, recordings, removals, subject_keys
from db.api_audit import Access
from db.erasures import Chosen
from db.errors import RowNotFound
from db.notes import NoteFilter, NotePlace, NoteStatus
from db.reasons import ErasureScope, Lane, Reason, Scope

READ = (Scope.READ,)
ALL_NOTES = NoteFilter()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def a_key(engine, tenant="default", **others):
    return api_keys.create(engine, tenant, name="app", **{"scopes": READ, **others})


def is_taken(engine, secret):
    found = api_keys.find(engine, secret)
    return found is not None and found[1]


def test_a_key_is_found_by_itself_and_is_stored_nowhere(engine):
    made = a_key(engine, "clinic", scopes=[Scope.READ, Scope.WRITE], lifetime=DAY)

    key, taken = api_keys.find(engine, made.secret)

    assert taken
    assert key == made.key
    assert (key.tenant, key.scopes) == ("clinic", {Scope.READ, Scope.WRITE})
    assert made.secret not in dump(engine)
    assert made.secret.removeprefix(api_keys.PREFIX) not in dump(engine)


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s + "x", str.upper, lambda s: s[8:], lambda _: ""])
def test_what_is_almost_a_key_is_none(engine, change):
    made = a_key(engine)

    assert api_keys.find(engine, change(made.secret)) is None


def test_two_keys_are_never_the_same(engine):
    assert a_key(engine).secret != a_key(engine).secret


def test_a_revoked_key_and_an_expired_one_are_taken_no_more(engine):
    revoked, short, good = a_key(engine), a_key(engine, lifetime=timedelta(microseconds=1)), a_key(engine)

    api_keys.revoke(engine, revoked.key.id)

    assert [is_taken(engine, made.secret) for made in (revoked, short, good)] == [False, False, True]
    first = api_keys.revoke(engine, revoked.key.id).revoked_at
    assert api_keys.revoke(engine, revoked.key.id).revoked_at == first
    with pytest.raises(RowNotFound, match="keys list"):
        api_keys.revoke(engine, 99)


def test_a_rotated_key_is_taken_for_a_while_beside_the_new_one(engine):
    old, other = a_key(engine, "clinic"), a_key(engine, lifetime=HOUR)

    new = api_keys.rotate(engine, old.key.id, grace=DAY, lifetime=None)
    at_once = api_keys.rotate(engine, new.key.id, grace=timedelta(), lifetime=DAY)
    api_keys.rotate(engine, other.key.id, grace=DAY, lifetime=None)

    assert (new.key.tenant, new.key.scopes, new.key.rotated_from) == ("clinic", old.key.scopes, old.key.id)
    assert [is_taken(engine, made.secret) for made in (old, new, at_once)] == [True, False, True]
    listed = {key.id: key for key in api_keys.list_keys(engine)}
    assert listed[other.key.id].expires_at == other.key.expires_at  # a grace makes nothing longer
    assert [key.id for key in api_keys.list_keys(engine, tenant="clinic")] == [1, 3, 4]


def test_a_revoked_key_is_not_rotated(engine):
    made = a_key(engine)
    api_keys.revoke(engine, made.key.id)

    with pytest.raises(RowNotFound, match="keys create"):
        api_keys.rotate(engine, made.key.id, grace=DAY, lifetime=None)


@pytest.mark.parametrize("wrong", [{"scopes": ()}, {"lifetime": timedelta()}, {"lifetime": -DAY}])
def test_a_key_that_could_do_nothing_is_refused(engine, wrong):
    with pytest.raises(ValueError, match="give"):
        a_key(engine, **wrong)


def scored(engine, *found, tenant="default"):
    recordings.register(engine, list(found))
    jobs.create_jobs(engine, (models.active_model(engine) or add_active_model(engine)).id, lane=Lane.NIGHTLY)
    score_all(engine)


def asked(engine, subject="anna", tenant="default", **others):
    made = a_key(engine, tenant)
    access = {"method": "GET", "route": "/v1/subjects/{subject}/notes", "status": 200, **others}
    api_audit.record(engine, [Access(key_id=made.key.id, tenant=tenant, subject=subject, **access)])


def subjects(engine, tenant="default"):
    return [row.subject for row in api_audit.read(engine, tenant=tenant)]


def test_the_audit_says_who_asked_for_whom(engine):
    scored(engine, a_recording("anna/1.wav", subject="anna"))

    asked(engine, recording_id=1)

    (row,) = api_audit.read(engine, tenant="default")
    assert (row.subject, row.recording_id, row.method, row.status) == ("anna", 1, "GET", 200)
    assert api_audit.read(engine, tenant="clinic") == []
    api_audit.record(engine, [])


def test_a_name_that_is_nobodys_is_not_kept(engine):
    scored(engine, a_recording("anna/1.wav", subject="anna", tenant="clinic"))

    asked(engine, "anna")
    asked(engine, "anna", tenant="clinic")

    assert (subjects(engine), subjects(engine, "clinic")) == ([None], ["anna"])


def test_an_erasure_reaches_the_audit(engine):
    scored(engine, a_recording("1.wav", subject="canary"), a_recording("2.wav", subject="ben"))
    asked(engine, "canary")
    asked(engine, "ben")
    people.rename(engine, "canary", "canary-anna")
    assert subjects(engine) == ["ben", "canary-anna"]

    erasures.begin(engine, Chosen(subject="canary"), scope=ErasureScope.ALL)
    asked(engine, "canary-anna")

    assert subjects(engine) == [None, "ben", None]
    assert "canary" not in dump(engine)


def test_answers_that_are_written_down_during_an_erasure_name_nobody_after_it(engine):
    scored(engine, *(a_recording(f"{n}.wav", subject="canary") for n in range(5)))

    with ThreadPoolExecutor(6) as pool:
        steps = [pool.submit(asked, engine, "canary") for _ in range(10)]
        steps.insert(5, pool.submit(erasures.begin, engine, Chosen(subject="canary"), scope=ErasureScope.ALL))
        steps += [pool.submit(asked, engine, "canary") for _ in range(10)]
        for step in steps:
            step.result()

    assert "canary" not in dump(engine)


def test_names_in_the_audit_become_pseudonyms_too(engine):
    scored(engine, a_recording("1.wav", subject="canary"))
    asked(engine, "canary")

    subject_keys.rehash(engine, "f", store=lambda name: f"hash-of-{len(name)}")

    assert subjects(engine) == ["hash-of-6"]


def test_the_audit_is_forgotten_in_time(engine):
    asked(engine)

    assert api_audit.expire(engine, keep=DAY) == 0
    assert api_audit.expire(engine, keep=-DAY) == 1
    assert count(engine, "api_audit") == 0


def test_an_erasure_is_seen_by_the_tenant_that_asked_for_it_alone(engine):
    scored(engine, a_recording("1.wav", subject="anna"), a_recording("2.wav", subject="ben"))
    key = a_key(engine).key

    erasures.begin(engine, Chosen(subject="ben"), scope=ErasureScope.ALL)
    erasure_id = erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL, key_id=key.id)

    assert [erasure.id for erasure in removals.list_of_tenant(engine, "default")] == [erasure_id]
    assert removals.read_of_tenant(engine, "default", erasure_id).n_left == 1
    assert removals.read_of_tenant(engine, "default", 1) is None
    assert removals.read_of_tenant(engine, "clinic", erasure_id) is None
    assert removals.list_of_tenant(engine, "default", before_id=erasure_id) == []


def a_week(engine):
    """Notes of every state, and three without a time."""
    found = [a_recording(f"anna/{n}.wav", subject="anna", recorded_at=days_later(n % 5)) for n in range(10)]
    found += [a_recording(f"anna/x{n}.wav", subject="anna") for n in range(3)]
    found += [a_recording("ben.wav", subject="ben"), a_recording("c.wav", subject="anna", tenant="clinic")]
    recordings.register(engine, found)
    jobs.create_jobs(engine, add_active_model(engine).id, lane=Lane.NIGHTLY)
    ledger.finish(engine, take(engine, 1), a_result(dimensions={"arousal": 0.5, "valence": -0.5}))
    ledger.finish(engine, take(engine, 2), silence())
    ledger.fail_dead(engine, take(engine, 3), Reason.NOT_AUDIO, detail="x")
    ledger.finish(engine, take(engine, 4), a_result(is_uncertain=True))


def list_all(engine, *, limit, is_oldest_first=False, chosen=ALL_NOTES, model_id=1):
    found, after = [], None
    while True:
        page = notes.list_notes(
            engine,
            "default",
            "anna",
            model_id=model_id,
            chosen=chosen,
            is_oldest_first=is_oldest_first,
            after=after,
            limit=limit,
        )
        found += page
        if len(page) < limit:
            return found
        after = NotePlace(recorded_at=page[-1].recorded_at, id=page[-1].id)


@pytest.mark.parametrize("is_oldest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11, 500])
def test_pages_of_notes_are_the_whole_list_in_order_with_the_undated_last(engine, limit, is_oldest_first):
    a_week(engine)

    found = list_all(engine, limit=limit, is_oldest_first=is_oldest_first)

    assert len({note.id for note in found}) == len(found) == 13
    dated = [(note.recorded_at, note.id) for note in found[:10]]
    assert dated == sorted(dated, reverse=not is_oldest_first)
    assert [note.recorded_at for note in found[10:]] == [None] * 3


def test_notes_are_those_of_the_view(engine):
    a_week(engine)
    names = ("id", "status", "reason", "label", "confidence", "arousal", "model_version", "speech_ms")

    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT recording_id AS id, status, reason, label, confidence, arousal, model_version, speech_ms "
                "FROM v1_note WHERE tenant = 'default' AND subject = 'anna' ORDER BY recording_id"
            )
        )
        of_view = [row._asdict() for row in rows]

    found = sorted(list_all(engine, limit=500), key=lambda note: note.id)
    assert [{name: getattr(note, name) for name in names} for note in found] == of_view
    assert {note.status for note in found} == {"scored", "no_speech", "failed", "pending"}


def test_notes_can_be_chosen_by_day_and_state(engine):
    a_week(engine)
    second, third = (days_later(n).date() for n in (1, 2))

    def ids(**chosen):
        return sorted(note.id for note in list_all(engine, limit=2, chosen=NoteFilter(**chosen)))

    assert ids(since=second, until=third) == [2, 3, 7, 8]
    assert ids(until=second) == [1, 2, 6, 7]
    assert ids(status=NoteStatus.SCORED) == [1, 4]
    assert ids(status=NoteStatus.FAILED, since=third) == [3]
    assert ids(since=days_later(90).date()) == []


def test_notes_of_another_model_are_what_that_one_says(engine):
    a_week(engine)
    other = models.add_model(engine, a_model("2.0")).id
    jobs.create_jobs_of(engine, other, [("default", "anna")], lane=Lane.BULK)
    score_all(engine)

    found = list_all(engine, limit=500, model_id=other)

    assert {(note.status, note.model_version) for note in found} == {("scored", "2.0")}
    assert {note.status for note in list_all(engine, limit=500, model_id=None)} == {"pending"}


def test_one_note_is_its_tenants_alone(engine):
    a_week(engine)

    assert notes.get_note(engine, "default", 1, model_id=1).scores == a_result().scores
    assert notes.get_note(engine, "clinic", 1, model_id=1) is None
    assert set(notes.get_notes(engine, "clinic", [1, 15], model_id=1)) == {15}
    assert [note.id for note in notes.notes_after(engine, "default", after_id=12, limit=9, model_id=1)] == [13, 14]
    recordings.register(engine, [a_recording("anna/0.wav", "v2", subject="anna")])
    assert notes.get_note(engine, "default", 1, model_id=1) is None
