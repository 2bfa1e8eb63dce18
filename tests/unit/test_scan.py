"""Scanning: everything new is registered once, and the recording's own time wins over the upload's."""

from datetime import UTC, datetime

import pytest

from db import migrate, recordings
from db.engine import make_engine
from scheduler.scan import Naming, scan
from storage.protocol import MemoryStore

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
