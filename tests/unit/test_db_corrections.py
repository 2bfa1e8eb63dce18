"""Who, whose and when of registered recordings corrected, behind the fences of erasures; also run on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from db_samples import (
    MONDAY,
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
from sqlalchemy import select

from db import erasures, history, jobs, ledger, people, recordings, removals, results, subject_keys, trends
from db.corrections import IDENTITY
from db.erasures import Chosen
from db.errors import SubjectKeyMismatch
from db.fences import erasure_mark
from db.reasons import ErasureScope, Lane, RecordingState
from db.rows import NewRecording
from db.schema import identity_changes

KEY = "x/1.wav"
EVENING = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
BEFORE = a_recording(KEY, subject="x", subject_source="key", identity_tag="one")
AFTER = a_recording(
    KEY,
    subject="ana",
    subject_source="manifest",
    recorded_at=EVENING,
    recorded_at_precision="day",
    recorded_at_source="sidecar",
    utc_offset_min=60,
    recorded_at_zone="Europe/Berlin",
    local_day=date(2026, 3, 2),
    tenant="clinic",
    tenant_source="manifest",
    identity_tag="two",
    uploaded_at=days_later(1),
)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def changes(engine):
    """The audit: recording, cause, field, old and new, in order."""
    c = identity_changes.c
    with engine.connect() as connection:
        wanted = select(c.recording_id, c.cause, c.field, c.old_value, c.new_value).order_by(c.id)
        return [tuple(row) for row in connection.execute(wanted)]


def scored(engine, *found):
    recordings.register(engine, list(found))
    model = add_active_model(engine)
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    for recording_id in range(1, len(found) + 1):
        (job,) = history.jobs_of(engine, recording_id)
        ledger.finish(engine, take(engine, job.id), a_result())
    return model


def test_every_part_of_an_identity_is_corrected_and_results_stay(engine):
    model = scored(engine, BEFORE)
    before = results.result_of(engine, 1, model.id), history.jobs_of(engine, 1)

    assert recordings.correct(engine, [AFTER], cause="identify") == 1

    found = recordings.get(engine, 1)
    for name in NewRecording.__dataclass_fields__:
        assert getattr(found, name) == getattr(AFTER, name), name
    assert (results.result_of(engine, 1, model.id), history.jobs_of(engine, 1)) == before
    assert [note.status for note in trends.subject_trend(engine, "ana", tenant="clinic")] == ["scored"]
    assert people_of(engine) == {"ana": 1}


def test_each_changed_value_is_written_down_with_its_cause_and_the_databases_clock(engine):
    recordings.register(engine, [BEFORE])
    recordings.correct(engine, [AFTER], cause="scan")

    assert {field: (old, new) for _, _, field, old, new in changes(engine)} == {
        "subject": ("x", "ana"),
        "subject_source": ("key", "manifest"),
        "recorded_at": (None, "2026-03-01T23:00:00+00:00"),
        "recorded_at_precision": (None, "day"),
        "recorded_at_source": ("unknown", "sidecar"),
        "utc_offset_min": (None, "60"),
        "recorded_at_zone": (None, "Europe/Berlin"),
        "local_day": (None, "2026-03-02"),
        "tenant": ("default", "clinic"),
        "tenant_source": ("default", "manifest"),
    }
    assert {(one, cause) for one, cause, *_ in changes(engine)} == {(1, "scan")}
    with engine.connect() as connection:
        moments = list(connection.scalars(select(identity_changes.c.changed_at)))
    assert all(abs(moment - datetime.now(UTC)) < timedelta(minutes=1) for moment in moments)


def test_what_is_the_same_changes_nothing_but_the_tag_and_the_upload(engine):
    recordings.register(engine, [BEFORE])
    again = a_recording(KEY, subject="x", subject_source="key", identity_tag="three", uploaded_at=days_later(2))

    assert recordings.correct(engine, [again], cause="scan") == 0
    assert recordings.correct(engine, [AFTER], cause="scan") == 1
    assert recordings.correct(engine, [AFTER], cause="scan") == 0

    (known,) = recordings.known_versions(engine, "local", "notes", keys=[KEY]).values()
    assert (known.recording_id, known.identity_tag, known.uploaded_at) == (1, "two", AFTER.uploaded_at)
    assert len(changes(engine)) == len(IDENTITY)


def test_a_known_version_tells_what_it_was_read_from(engine):
    recordings.register(engine, [BEFORE])

    known = recordings.known_versions(engine, "local", "notes", keys=[KEY])

    assert known == {(KEY, "v1"): recordings.KnownVersion(recording_id=1, uploaded_at=MONDAY, identity_tag="one")}


def test_only_the_version_that_was_read_is_corrected(engine):
    old, new = a_recording(KEY, "v1", subject="x"), a_recording(KEY, "v2", subject="x")
    other = a_recording(KEY, subject="x", bucket="other")
    recordings.register(engine, [old, new, other])

    n_changed = recordings.correct(
        engine, [a_recording(KEY, "v2", subject="ana"), a_recording("unknown.wav", subject="ana")], cause="scan"
    )

    assert n_changed == 1
    assert [recordings.get(engine, n).subject for n in (1, 2, 3)] == ["x", "ana", "x"]
    assert count(engine, "recordings") == 3


def test_the_last_word_on_a_version_counts(engine):
    recordings.register(engine, [BEFORE])

    assert recordings.correct(engine, [AFTER, BEFORE], cause="scan") == 0
    assert recordings.get(engine, 1).subject == "x"


def test_many_are_corrected_at_once_or_none(engine, monkeypatch):
    monkeypatch.setattr(recordings, "BATCH", 10)
    found = [a_recording(f"{n}.wav") for n in range(35)]
    recordings.register(engine, found)
    right = [a_recording(f"{n}.wav", subject="ana") for n in range(35)]

    with pytest.raises(Exception, match="no time zone"):
        recordings.correct(
            engine, [*right, a_recording("34.wav", uploaded_at=MONDAY.replace(tzinfo=None))], cause="scan"
        )
    assert (people_of(engine), changes(engine)) == ({}, [])
    assert recordings.correct(engine, right, cause="scan") == 35
    assert people_of(engine) == {"ana": 35}


def test_an_unknown_cause_is_refused(engine):
    with pytest.raises(ValueError, match="guess"):
        recordings.correct(engine, [AFTER], cause="guess")


def test_names_under_another_key_are_refused_and_nothing_is_changed(engine):
    recordings.register(engine, [BEFORE], subject_key="fingerprint")

    for wrong in (None, "other"):
        with pytest.raises(SubjectKeyMismatch):
            recordings.correct(engine, [AFTER], cause="scan", subject_key=wrong)
    assert recordings.correct(engine, [AFTER], cause="scan", subject_key="fingerprint") == 1


def carry_out(engine):
    removals.forget_objects(engine, removals.objects_to_remove(engine))
    removals.finish(engine)


@pytest.mark.parametrize("scope", list(ErasureScope))
@pytest.mark.parametrize("is_finished", [False, True])
def test_a_correction_read_before_an_erasure_brings_nobody_back(engine, scope, is_finished):
    recordings.register(engine, [BEFORE])
    mark = erasure_mark(engine)
    erasures.begin(engine, Chosen(subject="x"), scope=scope)
    if is_finished:
        carry_out(engine)
    before = dump(engine)

    assert recordings.correct(engine, [AFTER], cause="scan", mark=mark) == 0

    assert dump(engine) == before
    assert "clinic" not in before


@pytest.mark.parametrize("scope", list(ErasureScope))
def test_what_is_being_erased_is_not_corrected_whenever_it_was_read(engine, scope):
    recordings.register(engine, [BEFORE, a_recording("y.wav")])
    erasures.begin(engine, Chosen(recording_id=1), scope=scope)

    found = [AFTER, a_recording("y.wav", subject="ben")]
    n_changed = recordings.correct(engine, found, cause="scan", mark=erasure_mark(engine))

    assert n_changed == 1
    assert "ben" in people_of(engine)
    assert "ana" not in dump(engine)
    assert [item.key for item in removals.objects_to_remove(engine)] == [KEY]


def test_corrections_and_an_erasure_at_once_leave_nothing_of_the_person(engine):
    found = [a_recording(f"{n}.wav", subject="canary") for n in range(12)]
    recordings.register(engine, found)
    mark = erasure_mark(engine)
    wrong = [a_recording(f"{n}.wav", subject="canary", recorded_at=MONDAY) for n in range(12)]

    with ThreadPoolExecutor(6) as pool:
        steps = [pool.submit(recordings.correct, engine, wrong[n:], cause="scan", mark=mark) for n in range(3)]
        steps += [pool.submit(erasures.begin, engine, Chosen(subject="canary"), scope=ErasureScope.ALL)]
        steps += [pool.submit(recordings.correct, engine, wrong[n:], cause="scan", mark=mark) for n in range(3)]
        for step in steps:
            step.result()
    carry_out(engine)

    assert "canary" not in dump(engine)
    assert {recordings.get(engine, n).state for n in range(1, 13)} == {RecordingState.ERASED}
    assert count(engine, "identity_changes") == 0


def test_erasing_a_recording_takes_its_audit_with_it_and_others_keep_theirs(engine):
    recordings.register(engine, [BEFORE, a_recording("y.wav", subject="ben")])
    recordings.correct(engine, [AFTER, a_recording("y.wav", subject="benno")], cause="scan")

    erasures.begin(engine, Chosen(recording_id=1), scope=ErasureScope.ALL)

    assert changes(engine) == [(2, "scan", "subject", "ben", "benno")]


def test_erasing_a_person_takes_their_name_out_of_the_audits_of_other_recordings(engine):
    recordings.register(engine, [a_recording(f"{n}.wav", subject="canary") for n in range(3)])
    recordings.register(engine, [a_recording("4.wav", subject="canary", tenant="other")])
    recordings.correct(engine, [a_recording("0.wav", subject="ben")], cause="identify")
    recordings.correct(engine, [a_recording("1.wav", subject="ben", tenant="other")], cause="identify")
    recordings.correct(engine, [a_recording("4.wav", subject="carl", tenant="other")], cause="identify")

    erasures.begin(engine, Chosen(subject="canary"), scope=ErasureScope.ALL)

    assert people_of(engine) == {"ben": 1, "carl": 1}
    assert [change for change in changes(engine) if "canary" in change] == [
        (4, "identify", "subject", "canary", "carl")  # another tenant's canary is another person
    ]
    assert [field for _, _, field, *_ in changes(engine)] == ["tenant", "subject"]


def test_a_name_stays_in_the_audit_while_the_person_has_other_recordings(engine):
    recordings.register(engine, [a_recording(f"{n}.wav", subject="canary") for n in range(3)])
    recordings.correct(engine, [a_recording("0.wav", subject="ben")], cause="identify")

    erasures.begin(engine, Chosen(recording_id=2), scope=ErasureScope.ALL)
    assert changes(engine) == [(1, "identify", "subject", "canary", "ben")]
    erasures.begin(engine, Chosen(recording_id=3), scope=ErasureScope.ALL)

    assert changes(engine) == []
    assert "canary" not in dump(engine)


def test_rehashing_writes_names_in_audits_and_former_names_anew(engine):
    recordings.register(engine, [a_recording("0.wav", subject="canary-x"), a_recording("1.wav", subject="canary-y")])
    recordings.correct(engine, [a_recording("0.wav", subject="canary-z", recorded_at=MONDAY)], cause="scan")
    people.rename(engine, "canary-y", "canary-w")

    def store(name):
        return f"hash-{name[-1]}"

    assert subject_keys.rehash(engine, "fingerprint", store=store) == 2

    assert "canary" not in dump(engine)
    assert (1, "scan", "subject", "hash-x", "hash-z") in changes(engine)
    assert (1, "scan", "recorded_at", None, MONDAY.isoformat()) in changes(engine)
    new = a_recording("2.wav", subject="hash-y")
    recordings.register(engine, [new], subject_key="fingerprint")
    assert people_of(engine) == {"hash-w": 2, "hash-z": 1}
