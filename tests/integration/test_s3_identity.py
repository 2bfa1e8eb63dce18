"""Who speaks and when, from a real S3 server: metadata, sidecars, a manifest, and a few bytes of a long recording."""

import json
import time
from datetime import UTC, datetime

import db_samples
import pytest
from click.testing import CliRunner
from containers import MADE, mp4
from servers import S3Access

from config.settings import Settings
from db import recordings
from scheduler.naming import Naming
from scheduler.scan import scan
from storage.open import open_place
from storage.s3 import S3Store
from tonalog.cli import cli


class MeteredStore(S3Store):
    """Counts the bytes that are read in parts, and the objects that are described."""

    n_bytes = 0
    n_heads = 0

    def head(self, key):
        self.n_heads += 1
        return super().head(key)

    def read_range(self, key, *, start, n_bytes, version_tag):
        content = super().read_range(key, start=start, n_bytes=n_bytes, version_tag=version_tag)
        self.n_bytes += len(content)
        return content


@pytest.fixture
def store(s3: S3Access, monkeypatch, tmp_path) -> MeteredStore:
    values = {
        "HOME": str(tmp_path / "home"),
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "S3_ACCESS_KEY": s3.access_key,
        "S3_SECRET_KEY": s3.secret_key,
        "STORAGE_URL": f"s3://{s3.bucket}/notes/",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"TONALOG_{name}", value)
    return MeteredStore(s3.bucket, endpoint_url=s3.endpoint_url, access_key=s3.access_key, secret_key=s3.secret_key)


@pytest.fixture
def engine(tmp_path):
    return db_samples.new_sqlite(tmp_path)


def fill(store):
    store.put("notes/told.ogg", b"1", metadata={"subject-id": "ana", "recorded-at": "2026-03-01T08:00:00+01:00"})
    store.put("notes/beside.ogg", b"2")
    store.put("notes/beside.json", json.dumps({"subject": "ben", "zone": "Asia/Tokyo"}).encode())
    store.put("notes/table.ogg", b"3", metadata={"subject-id": "overruled"})
    store.put("notes/manifest.csv", b"key,subject,recorded_at\ntable.ogg,cleo,2026-03-02\n")
    store.put("notes/memo.m4a", mp4(n_samples=2_000_000))
    store.put("notes/PTT-20260302-WA0001.opus", b"5")


def rows(*words):
    done = CliRunner().invoke(cli, ["identify", *words, "--json"])
    assert done.exit_code == 0, done.output
    return {line["key"]: line for line in map(json.loads, done.stdout.splitlines())}


def test_identify_reads_every_source_and_downloads_no_recording(store):
    fill(store)
    found = rows()

    assert {key: (line["subject"], line["subject_source"]) for key, line in found.items()} == {
        "notes/told.ogg": ("ana", "metadata"),
        "notes/beside.ogg": ("ben", "sidecar"),
        "notes/table.ogg": ("cleo", "manifest"),
        "notes/memo.m4a": (None, "unknown"),
        "notes/PTT-20260302-WA0001.opus": (None, "unknown"),
    }
    assert {key: (line["recorded_at"], line["recorded_at_source"]) for key, line in found.items()} == {
        "notes/told.ogg": ("2026-03-01T08:00:00+01:00", "metadata"),
        "notes/beside.ogg": (None, "unknown"),
        "notes/table.ogg": ("2026-03-02T00:00:00+00:00", "manifest"),
        "notes/memo.m4a": (MADE.isoformat(), "container"),
        "notes/PTT-20260302-WA0001.opus": ("2026-03-02T00:00:00+00:00", "key"),
    }


def test_a_scan_corrects_what_a_second_upload_of_the_same_bytes_says_and_asks_for_nothing_else(store, engine):
    fill(store)
    naming = Naming.of(Settings.read())
    first = scan(engine, store, prefix="notes/", naming=naming)
    assert (first.n_listed, first.n_new) == (5, 5)
    assert 0 < store.n_bytes < 10_000

    def heads_of_a_scan():
        store.n_heads = 0
        seen = scan(engine, store, prefix="notes/", naming=naming)
        return seen, store.n_heads

    time.sleep(1.1)  # times of upload are whole seconds
    idle, n_idle = heads_of_a_scan()
    assert (idle.n_new, idle.n_corrected) == (0, 0)
    store.put("notes/beside.json", json.dumps({"subject": "dora"}).encode())
    store.put("notes/PTT-20260302-WA0001.opus", b"5", metadata={"subject-id": "eve"})
    again, n_heads = heads_of_a_scan()

    assert (again.n_listed, again.n_new, again.n_corrected) == (5, 0, 2)
    assert n_heads == n_idle + 2
    assert recordings.find(engine, "notes/beside.ogg")[0].subject == "dora"
    assert recordings.find(engine, "notes/PTT-20260302-WA0001.opus")[0].subject == "eve"
    assert heads_of_a_scan()[1] == n_idle


def test_metadata_that_changes_within_the_second_of_a_scan_is_seen_by_the_next_one(store, engine):
    naming = Naming.of(Settings.read())
    for number in range(3):
        store.put("notes/1.ogg", b"1")
        scan(engine, store, prefix="notes/", naming=naming, now=datetime.now(UTC))
        store.put("notes/1.ogg", b"1", metadata={"subject-id": f"ana{number}"})

        assert scan(engine, store, prefix="notes/", naming=naming, now=datetime.now(UTC)).n_corrected == 1
        assert recordings.find(engine, "notes/1.ogg")[0].subject == f"ana{number}"


def test_a_manifest_may_lie_elsewhere_on_s3(store, monkeypatch):
    store.put("notes/1.ogg", b"1")
    store.put("tables/people.jsonl", b'{"key": "1.ogg", "subject": "ana"}\n{"key": "notes/2.ogg", "subject": "ben"}\n')
    monkeypatch.setenv("TONALOG_MANIFEST", f"s3://{store.bucket}/tables/people.jsonl")

    assert rows()["notes/1.ogg"]["subject"] == "ana"


def test_a_single_object_has_its_sidecar(store):
    fill(store)

    assert rows(f"s3://{store.bucket}/notes/beside.ogg")["notes/beside.ogg"]["subject"] == "ben"


def test_the_store_of_the_settings_is_the_one_that_is_read(store):
    opened, prefix = open_place(Settings.read(), Settings.read().storage_url or "")

    assert (opened.bucket, prefix) == (store.bucket, "notes/")
