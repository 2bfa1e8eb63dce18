"""Scanning: everything new is registered once, and the recording's own time wins over the upload's."""

from dataclasses import replace
from datetime import UTC, date, datetime

import db_samples
import pytest
from botocore.utils import parse_timestamp
from sqlalchemy import Pool, event

from config.settings import DEFAULT_LAYOUTS
from db import erasures, jobs, migrate, recordings
from db.engine import make_engine
from db.erasures import Chosen
from db.reasons import ErasureScope, Lane
from scheduler.naming import IntakeOptions
from scheduler.scan import Naming, scan
from storage.protocol import MemoryStore, StorageUnavailable
from storage.s3_client import _read_time

NAMING = Naming(pattern="{subject}/{recorded_at}...", time_zone="UTC")


@pytest.fixture
def engine(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'scan.db'}")
    migrate.upgrade(engine)
    return engine


@pytest.fixture
def store():
    return MemoryStore("notes")


def test_a_scan_registers_what_is_new_and_a_second_one_nothing(engine, store):
    for day in range(1, 6):
        store.put(f"ana/2026-03-0{day}T08-00-00Z.ogg", b"note %d" % day)

    first = scan(engine, store, prefix="", naming=NAMING)
    second = scan(engine, store, prefix="", naming=NAMING)

    assert (first.n_listed, first.n_new) == (5, 5)
    assert (second.n_listed, second.n_new) == (5, 0)


def test_a_new_version_of_a_key_is_a_new_recording(engine, store):
    store.put("ana/2026-03-01.ogg", b"first")
    scan(engine, store, prefix="", naming=NAMING)

    store.put("ana/2026-03-01.ogg", b"second")
    again = scan(engine, store, prefix="", naming=NAMING)

    assert again.n_new == 1
    assert [found.state.value for found in recordings.find(engine, "ana/2026-03-01.ogg")] == ["LIVE", "SUPERSEDED"]


def test_metadata_wins_over_the_key_and_the_upload_time_is_never_the_recording_time(engine, store):
    store.put("x/1.ogg", b"a", metadata={"subject-id": "ana", "recorded-at": "2026-03-01T08:00:00+01:00"})
    store.put("x/2.ogg", b"b")

    scan(engine, store, prefix="", naming=NAMING)

    (told,) = recordings.find(engine, "x/1.ogg")
    (untold,) = recordings.find(engine, "x/2.ogg")
    assert (told.subject, told.recorded_at) == ("ana", datetime(2026, 3, 1, 7, tzinfo=UTC))
    assert (told.subject_source, told.recorded_at_source) == ("metadata", "metadata")
    assert untold.recorded_at is None
    assert untold.recorded_at_source == "unknown"


def test_a_scan_of_a_prefix_sees_nothing_else(engine, store):
    store.put("ana/2026-03-01.ogg", b"a")
    store.put("ben/2026-03-01.ogg", b"b")

    assert scan(engine, store, prefix="ben/", naming=NAMING).n_listed == 1


def rescan(engine, store, **changes):
    return scan(engine, store, prefix="", naming=replace(NAMING, **changes))


def the(engine, key):
    (found,) = recordings.find(engine, key)
    return found


def test_a_right_pattern_corrects_what_an_earlier_scan_read_wrong(engine, store):
    store.put("clinic/ana/2026-03-01.ogg", b"a")
    rescan(engine, store)
    assert the(engine, "clinic/ana/2026-03-01.ogg").subject is None

    seen = rescan(engine, store, pattern="{tenant}/{subject}/{recorded_at}...", time_zone="Europe/Berlin")

    found = the(engine, "clinic/ana/2026-03-01.ogg")
    assert (seen.n_new, seen.n_corrected) == (0, 1)
    assert (found.subject, found.tenant, found.tenant_source) == ("ana", "clinic", "key")
    assert (found.recorded_at, found.local_day) == (datetime(2026, 2, 28, 23, tzinfo=UTC), date(2026, 3, 1))
    assert (found.utc_offset_min, found.recorded_at_zone) == (60, "Europe/Berlin")


def test_metadata_that_came_with_a_second_upload_of_the_same_bytes_counts(engine, store):
    store.put("x.ogg", b"a")
    rescan(engine, store)
    store.put("x.ogg", b"a", metadata={"subject-id": "ana"}, uploaded_at=datetime(2026, 1, 2, tzinfo=UTC))

    assert rescan(engine, store).n_corrected == 1
    assert the(engine, "x.ogg").subject == "ana"
    assert rescan(engine, store).n_corrected == 0


def test_manifest_and_sidecar_correct_and_are_not_registered(engine, store):
    store.put("x.ogg", b"a")
    store.put("y.ogg", b"b")
    rescan(engine, store)
    store.put("manifest.csv", b"key,subject\nx.ogg,ana\n")
    store.put("y.json", b'{"subject": "ben"}')

    seen = rescan(engine, store)

    assert (seen.n_listed, seen.n_new, seen.n_corrected) == (2, 0, 2)
    assert (the(engine, "x.ogg").subject_source, the(engine, "y.ogg").subject_source) == ("manifest", "sidecar")
    store.delete("manifest.csv")
    assert rescan(engine, store).n_corrected == 1
    assert the(engine, "x.ogg").subject is None


class Untold(MemoryStore):
    """Lists without metadata, as S3 does, and notes which recordings it is asked for."""

    def __init__(self, bucket="notes", *, broken=()):
        super().__init__(bucket)
        self.asked, self.broken = [], broken

    def list_objects(self, prefix="", *, start_after=None):
        for page in super().list_objects(prefix, start_after=start_after):
            yield [replace(item, metadata=None) for item in page]

    def head(self, key):
        self.asked += [key] if key.endswith(".ogg") else []
        if key in self.broken:
            raise StorageUnavailable("the store is away")
        return replace(super().head(key), uploaded_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_what_has_not_changed_is_not_asked_for_again(engine):
    store = Untold()
    for number in range(5):
        store.put(f"ana/{number}.ogg", b"%d" % number, uploaded_at=datetime(2026, 1, 1, 0, 0, 0, 5, tzinfo=UTC))
    rescan(engine, store)
    assert len(store.asked) == 5

    rescan(engine, store)
    assert len(store.asked) == 5
    rescan(engine, store, time_zone="Europe/Berlin")
    assert len(store.asked) == 10


def test_what_an_option_said_stays_until_somebody_says_otherwise(engine, store):
    store.put("x/1.ogg", b"a")
    told = rescan(engine, store, options=IntakeOptions(subject="ana"))

    assert (told.n_new, told.n_without_subject) == (1, 0)
    assert rescan(engine, store).n_corrected == 0
    assert (the(engine, "x/1.ogg").subject, the(engine, "x/1.ogg").subject_source) == ("ana", "option")
    assert rescan(engine, store, options=IntakeOptions(subject="ben")).n_corrected == 1
    assert the(engine, "x/1.ogg").subject == "ben"


def test_a_scan_counts_what_nobody_says(engine, store):
    store.put("Voice 001.m4a", b"a")
    store.put("PTT-20260302-WA0001.opus", b"b")
    store.put("ana/2026-03-02.ogg", b"c")

    seen = rescan(engine, store, pattern=DEFAULT_LAYOUTS)

    assert (seen.n_new, seen.n_without_subject, seen.n_without_time) == (3, 2, 1)
    again = rescan(engine, store, pattern=DEFAULT_LAYOUTS)
    assert (again.n_without_subject, again.n_without_time) == (0, 0)


def test_lines_of_a_manifest_about_no_recording_are_told(engine, store, caplog):
    store.put("x.ogg", b"a")
    store.put("manifest.csv", b"key,subject\ny.ogg,ana\n")

    assert rescan(engine, store).manifest_gaps == (
        "manifest.csv: no recording here is the one of line 2; check their keys",
    )
    assert "manifest has lines about no recording" in caplog.text


def test_a_correction_makes_no_job_and_no_score_again(engine, store):
    model = db_samples.add_active_model(engine)
    store.put("x.ogg", b"a")
    rescan(engine, store)
    assert jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY) == 1

    assert rescan(engine, store, options=IntakeOptions(subject="ana")).n_corrected == 1
    assert jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY) == 0


def test_a_scan_opens_as_many_connections_for_many_pages_as_for_one(engine, store, monkeypatch):
    def count_connections(prefix):
        opened = []

        def note(_connection, _record):
            opened.append(1)

        event.listen(Pool, "connect", note)
        try:
            scan(engine, store, prefix=prefix, naming=NAMING)
        finally:
            event.remove(Pool, "connect", note)
        return len(opened)

    monkeypatch.setattr("storage.objects.PAGE_SIZE", 2)
    for number in range(9):
        store.put(f"{'one' if number < 2 else 'many'}/{number}.ogg", b"%d" % number)

    assert count_connections("one/") == count_connections("many/") > 0


def test_without_metadata_nothing_but_uploads_is_asked_for_and_a_changed_mind_reads_all_again(engine):
    store = Untold()
    told = {"subject-id": "zoe"}
    for key in ("ana/2026-03-01.ogg", "uploads/7f3a/note.ogg"):
        store.put(key, key.encode(), metadata=told)

    assert rescan(engine, store, reads_metadata=False).n_new == 2
    assert store.asked == ["uploads/7f3a/note.ogg"]
    assert (the(engine, "ana/2026-03-01.ogg").subject, the(engine, "uploads/7f3a/note.ogg").subject) == ("ana", "zoe")
    assert rescan(engine, store, reads_metadata=False).n_corrected == 0
    assert len(store.asked) == 1

    assert rescan(engine, store).n_corrected == 1
    assert the(engine, "ana/2026-03-01.ogg").subject == "zoe"


def test_what_an_old_list_names_is_asked_for_even_where_metadata_is_not_read(engine):
    store = Untold()
    store.lists_now = False
    store.put("ana/2026-03-01.ogg", b"a", metadata={"subject-id": "zoe"})

    assert rescan(engine, store, reads_metadata=False).n_new == 1
    assert store.asked == ["ana/2026-03-01.ogg"]
    assert the(engine, "ana/2026-03-01.ogg").subject == "ana"


def test_an_object_that_cannot_be_asked_for_keeps_no_other_one_waiting(engine):
    store = Untold(broken=("ana/1.ogg",))
    for number in range(40):
        store.put(f"ana/{number}.ogg", b"%d" % number)

    with pytest.raises(StorageUnavailable, match="away"):
        rescan(engine, store)
    store.broken = ()

    assert rescan(engine, store).n_new == 1


def test_a_store_that_answers_nothing_is_soon_left_alone(engine):
    keys = [f"ana/{number}.ogg" for number in range(200)]
    store = Untold(broken=keys)
    for key in keys:
        store.put(key, key.encode())

    with pytest.raises(StorageUnavailable, match="away"):
        rescan(engine, store)
    assert len(store.asked) < 3 + 16


def test_pages_that_were_listed_before_an_erasure_are_left_to_the_next_scan(engine, store, monkeypatch):
    monkeypatch.setattr("storage.objects.PAGE_SIZE", 1)
    for name in "abcdef":
        store.put(f"{name}/2026-03-01.ogg", name.encode())
    seen = []

    def erase_once(so_far):
        seen.append(so_far.n_new)
        if len(seen) == 1:
            erasures.begin(engine, Chosen(recording_id=1), scope=ErasureScope.ALL)

    first = scan(engine, store, prefix="", naming=NAMING, on_page=erase_once)
    assert first.n_new < 6
    assert scan(engine, store, prefix="", naming=NAMING).n_new == 5 - (first.n_new - 1)


def test_times_are_read_as_botocore_reads_them():
    for text in ("2026-11-27T18:01:48.123Z", "Fri, 27 Nov 2026 18:01:48 GMT", "1772439300", 1772439300, "20261127"):
        assert _read_time(text) == parse_timestamp(text)
