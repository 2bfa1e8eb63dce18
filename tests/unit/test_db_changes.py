"""The feed of changes: every change is told, in the transaction that makes it; also run on PostgreSQL."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from db_samples import (
    a_model,
    a_recording,
    a_result,
    add_active_model,
    add_jobs,
    count,
    days_later,
    dump,
    new_sqlite,
    silence,
    take,
)
from sqlalchemy import insert, text

from db import batch_plan, batches, changes, erasures, jobs, ledger, models, people, recordings, subject_keys
from db.api_schema import changes as changes_table
from db.batch_plan import Choice
from db.changes import Place
from db.columns import db_now
from db.erasures import Chosen
from db.errors import FeedExpired
from db.reasons import ErasureScope, Lane, Reason

BEGIN = Place(position=0, at=None)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def told(engine, tenant="default", place=BEGIN, limit=500):
    """Everything behind a place, as (kind, recording, reason)."""
    found = []
    while True:
        changes.number(engine)
        page = changes.read(engine, tenant, place=place, limit=limit)
        found += page.changes
        place = page.next_place
        if not page.has_more:
            return [(change.kind.value, change.recording_id, change.reason) for change in found], place


def here(engine, tenant="default"):
    return told(engine, tenant)[1]


def since(engine, place, tenant="default"):
    return told(engine, tenant, place)[0]


UPSERT_1 = ("note.upserted", 1, None)


def a_note(engine, **others):
    recordings.register(engine, [a_recording("anna/1.wav", **{"subject": "anna", **others})])
    jobs.create_jobs(engine, (models.active_model(engine) or add_active_model(engine)).id, lane=Lane.NIGHTLY)
    return 1


def do_finish(engine):
    ledger.finish(engine, take(engine, 1), a_result())


def do_hear_nothing(engine):
    ledger.finish(engine, take(engine, 1), silence())


def do_fail(engine):
    ledger.fail_dead(engine, take(engine, 1), Reason.NOT_AUDIO, detail="x")


def do_replace(engine):
    recordings.register(engine, [a_recording("anna/1.wav", "v2", subject="anna")])


def do_correct(engine):
    recordings.correct(engine, [a_recording("anna/1.wav", subject="anna", recorded_at=days_later(1))], cause="identify")


def do_move_to_another_tenant(engine):
    recordings.correct(engine, [a_recording("anna/1.wav", subject="anna", tenant="clinic")], cause="identify")


def do_erase(engine):
    erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL)


CHANGES = {
    "finished": (do_finish, [UPSERT_1]),
    "silent": (do_hear_nothing, [UPSERT_1]),
    "failed": (do_fail, [UPSERT_1]),
    "corrected": (do_correct, [UPSERT_1]),
    "renamed": (lambda engine: people.rename(engine, "anna", "ana"), [UPSERT_1]),
    "rehashed": (lambda engine: subject_keys.rehash(engine, "f", store=str.upper), [UPSERT_1]),
    "moved": (do_move_to_another_tenant, [("note.deleted", 1, "moved")]),
    "activated": (
        lambda engine: models.activate(engine, models.add_model(engine, a_model("2")).id, force=True),
        [("model.activated", None, None)],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_told(engine, name):
    a_note(engine)
    place = here(engine)
    change, expected = CHANGES[name]

    change(engine)

    assert since(engine, place) == expected


def test_a_new_note_and_its_new_version_are_told(engine):
    a_note(engine)
    place = here(engine)
    assert told(engine)[0] == [UPSERT_1, ("model.activated", None, None)]

    do_replace(engine)

    assert ("note.deleted", 1, "replaced") in since(engine, place)
    assert ("note.upserted", 2, None) in since(engine, place)


def test_a_dead_job_that_is_tried_again_is_told(engine):
    a_note(engine)
    do_fail(engine)
    place = here(engine)

    jobs.retry(engine)

    assert since(engine, place) == [UPSERT_1]


def test_an_erasure_is_told_last_and_names_nobody(engine):
    a_note(engine, subject="canary")
    do_finish(engine)
    place = here(engine)

    erasures.begin(engine, Chosen(subject="canary"), scope=ErasureScope.ALL)

    assert since(engine, place)[-1] == ("note.deleted", 1, "erased")
    assert "canary" not in dump(engine).replace("anna/1.wav", "")


def test_a_note_that_was_replaced_is_told_again_when_it_is_erased(engine):
    a_note(engine)
    do_replace(engine)
    place = here(engine)

    do_erase(engine)

    assert ("note.deleted", 1, "erased") in since(engine, place)


def test_work_on_a_job_that_readers_do_not_see_is_not_told(engine):
    a_note(engine)
    place = here(engine)

    claim = take(engine, 1)
    ledger.heartbeat(engine, claim.token, job_id=1, lease_s=60)
    ledger.release(engine, claim)
    recordings.register(engine, [a_recording("anna/1.wav", subject="anna")])

    assert since(engine, place) == []


def test_another_tenant_is_told_nothing_but_models(engine):
    a_note(engine)
    do_finish(engine)

    assert told(engine, "clinic")[0] == [("model.activated", None, None)]
    do_move_to_another_tenant(engine)
    assert told(engine, "clinic")[0][1:] == [UPSERT_1]


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_pages_of_any_size_tell_the_same(engine, limit):
    add_jobs(engine, 7)

    assert told(engine, limit=limit)[0] == told(engine)[0]
    assert len(told(engine)[0]) == 8


def test_a_change_that_fails_is_not_told(engine):
    a_note(engine)
    place = here(engine)

    with engine.begin() as connection:
        connection.execute(text("UPDATE recordings SET subject = 'ben'"))
        connection.rollback()

    assert since(engine, place) == []


def test_readers_and_writers_at_once_lose_nothing(engine):
    add_jobs(engine, 40)
    place = here(engine)
    seen, is_over = [], threading.Event()

    def follow():
        reached = place
        while True:
            was_over = is_over.is_set()
            found, reached = told(engine, place=reached, limit=3)
            seen.extend(found)
            if was_over:
                return
            is_over.wait(0.02)  # SQLite has one writer, and a place in the feed is written too

    with ThreadPoolExecutor(5) as pool:
        reader = pool.submit(follow)
        list(pool.map(lambda job_id: ledger.finish(engine, take(engine, job_id), a_result()), range(1, 41)))
        is_over.set()
        reader.result()

    assert sorted(recording for _, recording, _ in seen) == list(range(1, 41))


def test_what_is_old_is_deleted_and_a_reader_who_missed_it_is_told_so(engine):
    add_jobs(engine, 3)
    changes.number(engine)
    late = changes.read(engine, "default", place=BEGIN, limit=1).next_place
    place = here(engine)

    assert changes.expire(engine, keep=timedelta(days=1)) == 0
    assert changes.expire(engine, keep=timedelta(seconds=-1)) == 4

    for gone in (BEGIN, late):
        with pytest.raises(FeedExpired):
            changes.read(engine, "default", place=gone, limit=1)
    assert told(engine, place=place) == ([], Place(position=4, at=None))
    do_finish(engine)
    assert since(engine, place) == [UPSERT_1]
    assert count(engine, "changes") == 1


def test_a_quiet_tenant_does_not_grow_too_old_for_the_feed(engine):
    add_active_model(engine)
    place = here(engine, "quiet")
    add_jobs(engine, 3)

    place = told(engine, "quiet", place)[1]
    changes.expire(engine, keep=timedelta(seconds=-1))

    assert since(engine, place, "quiet") == []


@pytest.mark.parametrize("move", [{"position": 99}, {"at": days_later(0)}, {"at": None}])
def test_a_place_of_another_database_is_refused(engine, move):
    a_note(engine)
    place = here(engine)

    with pytest.raises(FeedExpired, match="begin anew"):
        changes.read(engine, "default", place=Place(**{"position": place.position, "at": place.at, **move}), limit=1)


def test_many_changes_are_numbered_in_steps(engine, monkeypatch):
    monkeypatch.setattr(changes, "NUMBER_BATCH", 3)
    add_jobs(engine, 7)

    page = changes.read(engine, "default", place=BEGIN, limit=500)
    assert (page.changes, page.has_more) == ((), True)
    assert [changes.number(engine) for _ in range(4)] == [3, 3, 2, 0]
    assert len(told(engine)[0]) == 8


def add_by_hand(connection, recording_id):
    row = {"tenant": "default", "kind": "note.upserted", "recording_id": recording_id, "at": db_now()}
    connection.execute(insert(changes_table).values(row))


def cancel_batch_of(engine, model):
    """Plan a batch of a model and cancel it; gives what the feed and the marks of people tell of that."""
    batch_id = batch_plan.begin(engine, Choice(model_id=model.id))
    batch_plan.plan_all(engine, batch_id)
    place, n_marks = here(engine), count(engine, "subject_marks")
    batches.cancel(engine, batch_id)
    assert batches.end_cancelled(engine, batch_id) == 3
    return since(engine, place), count(engine, "subject_marks") - n_marks


def test_a_cancelled_batch_tells_nobody_of_a_model_that_nobody_reads_and_everybody_of_one_that_is_read(engine):
    recordings.register(engine, [a_recording(f"{i}.wav", subject="anna") for i in range(3)])
    active, other = add_active_model(engine), models.add_model(engine, a_model("2.0"))

    assert cancel_batch_of(engine, other) == ([], 0)
    assert cancel_batch_of(engine, other) == ([], 0)  # which takes the jobs of the first over
    assert cancel_batch_of(engine, active) == ([("note.upserted", i, None) for i in (1, 2, 3)], 3)


def test_what_fails_for_good_is_told_whatever_model_it_was_for(engine):
    recordings.register(engine, [a_recording("a.wav", subject="anna")])
    add_active_model(engine)
    jobs.create_jobs(engine, models.add_model(engine, a_model("2.0")).id, lane=Lane.BULK)
    place = here(engine)

    ledger.fail_dead(engine, take(engine, 1), Reason.NOT_AUDIO, detail="x")

    assert since(engine, place) == [UPSERT_1]
