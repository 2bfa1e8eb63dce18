"""People renamed and merged: trends follow, scans to come follow, erasures find all; also run on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from db_samples import (
    a_recording,
    a_result,
    add_active_model,
    count,
    days_later,
    dump,
    new_sqlite,
    people_of,
    take,
)
from sqlalchemy import insert, select

from db import erasures, history, jobs, ledger, people, pump, recordings, removals, results, trends
from db.erasures import Chosen
from db.errors import DatabaseError, NameConflict, RowNotFound, SubjectKeyMismatch
from db.people import Person
from db.reasons import ErasureScope, Lane
from db.schema import identity_changes, subject_aliases

ALL, AUDIO = ErasureScope.ALL, ErasureScope.AUDIO


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def notes_of(subject, n, **others):
    return [
        a_recording(f"{others.get('tenant', 'default')}/{subject}/{i}.wav", subject=subject, **others) for i in range(n)
    ]


def fill(engine, **n_notes):
    for subject, n in n_notes.items():
        recordings.register(engine, notes_of(subject, n))


def carry_out(engine):
    removals.forget_objects(engine, removals.objects_to_remove(engine))
    removals.finish(engine)


def causes(engine):
    c = identity_changes.c
    with engine.connect() as connection:
        wanted = select(c.recording_id, c.cause, c.field, c.old_value, c.new_value).order_by(c.id)
        return [tuple(row) for row in connection.execute(wanted)]


def test_people_are_listed_by_tenant_and_name_with_their_days(engine):
    found = [
        a_recording("1", subject="ana", recorded_at=days_later(3), local_day=date(2026, 11, 6)),
        a_recording("2", subject="ana", recorded_at=days_later(1)),
        a_recording("3", subject="ana"),
        a_recording("4", subject="ana", tenant="clinic"),
        a_recording("5"),
    ]
    recordings.register(engine, found)
    default = Person(
        tenant="default", subject="ana", n_notes=3, first_day=date(2026, 11, 3), last_day=date(2026, 11, 6)
    )
    clinic = Person(tenant="clinic", subject="ana", n_notes=1, first_day=None, last_day=None)

    assert people.list_people(engine) == [clinic, default]
    assert people.list_people(engine, tenant="clinic") == [clinic]


def test_a_rename_takes_the_trend_along_and_leaves_results_and_others_alone(engine):
    fill(engine, ana=2, ben=1)
    recordings.register(engine, notes_of("ana", 1, tenant="clinic"))
    model = add_active_model(engine)
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    for job_id, _ in pump.due_jobs(engine, cap_outstanding=9, limit=9):
        ledger.finish(engine, take(engine, job_id), a_result())
    before = [(results.result_of(engine, n, model.id), history.jobs_of(engine, n)) for n in range(1, 5)]

    assert people.rename(engine, "ana", "anna") == 2

    assert [note.status for note in trends.subject_trend(engine, "anna")] == ["scored"] * 2
    assert trends.subject_trend(engine, "ana") == []
    assert len(trends.subject_trend(engine, "ana", tenant="clinic")) == 1
    assert len(trends.subject_trend(engine, "ben")) == 1
    assert [(results.result_of(engine, n, model.id), history.jobs_of(engine, n)) for n in range(1, 5)] == before
    assert causes(engine) == [(n, "rename", "subject", "ana", "anna") for n in (1, 2)]


def test_scans_and_corrections_to_come_know_the_new_name(engine):
    fill(engine, ana=1)
    people.rename(engine, "ana", "anna")

    fill(engine, ana=2)
    n_changed = recordings.correct(
        engine, [a_recording("default/ana/0.wav", subject="ana", recorded_at=days_later(1))], cause="scan"
    )

    assert n_changed == 1
    assert people_of(engine) == {"anna": 2}
    assert "subject" not in [field for _, cause, field, *_ in causes(engine) if cause == "scan"]
    assert people.find_present_name(engine, "default", "ana") == "anna"
    assert people.find_present_name(engine, "clinic", "ana") == "ana"


def test_names_that_follow_each_other_all_mean_the_last_one(engine):
    fill(engine, a=1)
    for old, new in (("a", "b"), ("b", "c"), ("a", "d")):  # the last one asks for the person by the first name
        people.rename(engine, old, new)

    fill(engine, a=2, b=1, c=1)

    assert people_of(engine) == {"d": 4}
    assert {people.find_present_name(engine, "default", name) for name in "abcd"} == {"d"}


def test_a_person_may_take_a_former_name_back(engine):
    fill(engine, ana=1)
    people.rename(engine, "ana", "anna")
    people.rename(engine, "anna", "ana")

    fill(engine, ana=2, anna=1)

    assert people_of(engine) == {"ana": 3}
    assert count(engine, "subject_aliases") == 1


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("nobody", "x", RowNotFound, "nobody of one of the given names.*tonalog subjects list"),
        ("ana", "ben", NameConflict, "tonalog subjects merge"),
        ("ana", "ana", NameConflict, "has that name already"),
        ("ana", "carl", NameConflict, "was somebody else's before"),
        ("caroline", "x", RowNotFound, "nobody"),
    ],
)
def test_a_rename_that_would_mix_people_up_is_refused_and_names_nobody(engine, old, new, error, message):
    fill(engine, ana=1, ben=1, carl=1)
    recordings.register(engine, notes_of("caroline", 1, tenant="clinic"))
    people.rename(engine, "carl", "charles")
    before = dump(engine)

    with pytest.raises(error, match=message) as caught:
        people.rename(engine, old, new)

    assert dump(engine) == before
    assert not [name for name in ("ana", "ben", "carl", "charles") if f" {name} " in f" {caught.value} "]


def test_people_are_merged_into_one_with_all_their_names(engine):
    fill(engine, ana=1, anna=2, ANA=3, ben=1)
    people.rename(engine, "ben", "benno")

    assert people.merge(engine, ["anna", "ANA", "anna"], "ana") == 5

    fill(engine, anna=3, ANA=4)
    assert people_of(engine) == {"ana": 8, "benno": 1}
    assert {change[1] for change in causes(engine)} == {"rename", "merge"}
    assert people.merge(engine, ["ben"], "ANA") == 1  # former names will do on both sides
    assert people_of(engine) == {"ana": 9}


@pytest.mark.parametrize(
    ("sources", "into", "error"),
    [(["ana"], "ana", NameConflict), (["ana", "nobody"], "ben", RowNotFound), (["ana"], "nobody", RowNotFound)],
)
def test_a_merge_that_makes_no_sense_is_refused_as_a_whole(engine, sources, into, error):
    fill(engine, ana=1, ben=1)

    with pytest.raises(error):
        people.merge(engine, sources, into)

    assert people_of(engine) == {"ana": 1, "ben": 1}
    assert (causes(engine), count(engine, "subject_aliases")) == ([], 0)


def test_a_dry_run_counts_and_changes_nothing(engine):
    fill(engine, ana=2, ben=1, carl=4)
    before = dump(engine)

    assert people.rename(engine, "ana", "x", is_dry_run=True) == 2
    assert people.merge(engine, ["ana", "carl"], "ben", is_dry_run=True) == 6
    assert dump(engine) == before


def test_names_under_a_key_are_renamed_under_that_key_only(engine):
    recordings.register(engine, notes_of("hash-ana", 1), subject_key="fingerprint")

    with pytest.raises(SubjectKeyMismatch):
        people.rename(engine, "hash-ana", "hash-anna")
    with pytest.raises(SubjectKeyMismatch):
        people.merge(engine, ["hash-ana"], "hash-anna", subject_key="other")
    assert people.rename(engine, "hash-ana", "hash-anna", subject_key="fingerprint") == 1


@pytest.mark.parametrize("asked", ["canary-new", "canary-old", "canary-oldest"])
def test_an_erasure_finds_everything_under_every_name(engine, asked):
    fill(engine, **{"canary-oldest": 1})
    people.rename(engine, "canary-oldest", "canary-old")
    people.rename(engine, "canary-old", "canary-new")
    fill(engine, **{"canary-oldest": 2, "ben": 1})

    assert erasures.measure(engine, Chosen(subject=asked), scope=ALL).n_recordings == 2
    erasures.begin(engine, Chosen(subject=asked), scope=ALL)
    carry_out(engine)

    assert people_of(engine) == {"ben": 1}
    assert "canary" not in dump(engine)


def test_an_erasure_leaves_the_same_name_of_another_tenant_alone(engine):
    fill(engine, ana=2)
    recordings.register(engine, notes_of("ana", 3, tenant="clinic"))
    recordings.register(engine, notes_of("ana", 1, tenant="practice"))
    people.rename(engine, "ana", "anna", tenant="clinic")

    erasures.begin(engine, Chosen(subject="ana"), scope=ALL)

    assert people_of(engine) == {"ana": 1, "anna": 3}
    assert people.find_present_name(engine, "clinic", "ana") == "anna"
    assert erasures.measure(engine, Chosen(subject="ana", tenant="clinic"), scope=ALL).n_recordings == 3


def test_a_rename_during_an_unfinished_erasure_moves_nothing_out_of_it(engine):
    fill(engine, canary=2, ben=1)
    erasures.begin(engine, Chosen(subject="canary"), scope=ALL)
    before = removals.objects_to_remove(engine)

    with pytest.raises(RowNotFound):
        people.rename(engine, "canary", "other")
    with pytest.raises(RowNotFound):
        people.merge(engine, ["canary"], "ben")

    assert removals.objects_to_remove(engine) == before
    assert recordings.register(engine, notes_of("canary", 2)).n_new == 0
    carry_out(engine)
    assert "canary" not in dump(engine)


def test_a_person_whose_audio_is_being_removed_keeps_results_under_a_new_name(engine):
    fill(engine, ana=2)
    erasures.begin(engine, Chosen(subject="ana"), scope=AUDIO)
    before = removals.objects_to_remove(engine)

    assert people.rename(engine, "ana", "anna") == 2

    assert removals.objects_to_remove(engine) == before
    assert people_of(engine) == {"anna": 2}
    assert erasures.measure(engine, Chosen(subject="ana"), scope=ALL).n_objects == 2


def test_a_rename_and_an_erasure_at_once_leave_nobody_behind(engine):
    fill(engine, **{"canary-1": 8})

    def rename(n):
        try:
            people.rename(engine, f"canary-{n}", f"canary-{n + 1}")
        except RowNotFound:  # the erasure came first
            return

    with ThreadPoolExecutor(4) as pool:
        steps = [pool.submit(rename, 1), pool.submit(erasures.begin, engine, Chosen(subject="canary-1"), scope=ALL)]
        for step in [*steps, pool.submit(rename, 2)]:
            step.result()
    carry_out(engine)

    assert "canary" not in dump(engine)


def test_a_circle_of_names_is_refused(engine):
    with engine.begin() as connection:
        rows = [{"tenant": "default", "alias": a, "subject": b} for a, b in (("a", "b"), ("b", "a"))]
        connection.execute(insert(subject_aliases), rows)

    with pytest.raises(DatabaseError, match="circle"):
        fill(engine, a=1)
    assert people_of(engine) == {}


def test_who_is_where_is_found_by_every_name_and_never_after_an_erasure(engine):
    fill(engine, ana=1)
    recordings.register(engine, notes_of("ana", 1, tenant="clinic"))
    people.rename(engine, "ana", "anna", tenant="clinic")

    assert people.tenants_of(engine, "ana") == {"default", "clinic"}
    assert people.tenants_of(engine, "anna") == {"clinic"}
    erasures.begin(engine, Chosen(subject="anna", tenant="clinic"), scope=ALL)
    assert people.tenants_of(engine, "ana") == {"default"}
    assert people.is_known(engine, "default", "ana")
    assert not people.is_known(engine, "clinic", "ana")


def test_jobs_are_made_for_the_people_of_one_tenant(engine):
    fill(engine, ana=2, ben=1)
    recordings.register(engine, notes_of("ana", 3, tenant="clinic"))
    model = add_active_model(engine)

    assert jobs.create_jobs_of(engine, model.id, [("default", "ana")], lane=Lane.BULK) == 2
    assert jobs.create_jobs(engine, model.id, lane=Lane.BULK, tenant="clinic") == 3
    assert jobs.create_jobs(engine, model.id, lane=Lane.BULK) == 1
