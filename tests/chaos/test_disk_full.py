"""The disk is full: every part says so in its own words, nothing half-written is visible, and room mends it all."""

import contextlib
import sqlite3
import subprocess
import tempfile

import pytest
from db_samples import a_result, add_jobs, count

from db import ledger
from db.engine import make_engine
from db.errors import DatabaseUnavailable
from db.migrate import upgrade
from storage.errors import StorageUnavailable
from storage.local import LocalStore
from storage.spool import MEMORY_LIMIT_BYTES

DISK_MIB = 12
N_JOBS = 20


@pytest.fixture
def disk(tmp_path):
    """A disk of 12 MiB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def filled(disk):
    """Leave not a byte free."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for block in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * block)
    yield
    ballast.unlink()


def test_a_ledger_on_a_full_disk_refuses_and_is_whole_once_there_is_room(disk):
    engine = make_engine(f"sqlite:///{disk / 'tonalog.db'}")
    upgrade(engine)
    add_jobs(engine, N_JOBS)
    claims = [ledger.claim(engine, job_id, worker="w", lease_s=600.0) for job_id in range(1, N_JOBS + 1)]
    assert ledger.finish(engine, claims[0], a_result())

    n_refused = 0
    with filled(disk):
        for claim in claims[1:]:
            try:
                ledger.finish(engine, claim, a_result())
            except DatabaseUnavailable:
                n_refused += 1

    assert n_refused > 0
    with contextlib.closing(sqlite3.connect(engine.url.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert count(engine, "results") == N_JOBS - n_refused
    for claim in claims[1:]:
        ledger.finish(engine, claim, a_result())
    assert count(engine, "results") == N_JOBS


def test_a_folder_on_a_full_disk_takes_no_half_objects(disk):
    store = LocalStore(disk)
    kept = store.put("ana/1.wav", b"first")

    with filled(disk):
        with pytest.raises(StorageUnavailable):
            store.put("ana/1.wav", b"x" * 100_000)
        with pytest.raises(StorageUnavailable):
            store.put("ana/2.wav", b"x" * 100_000)
        assert store.head("ana/1.wav").version_tag == kept.version_tag

    assert [item.key for page in store.list_objects() for item in page] == ["ana/1.wav"]
    assert list((disk / "ana").iterdir()) == [disk / "ana" / "1.wav"]


def test_a_recording_that_finds_no_room_for_its_copy_says_where_to_make_some(disk, tmp_path, monkeypatch):
    (tmp_path / "notes").mkdir()
    store = LocalStore(tmp_path / "notes")
    large = store.put("large.wav", b"x" * (MEMORY_LIMIT_BYTES + 1))
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    version = {"version_tag": large.version_tag, "size_bytes": large.size_bytes}

    with filled(disk), pytest.raises(StorageUnavailable, match="TMPDIR"):
        store.open("large.wav", **version)

    with store.open("large.wav", **version) as opened:
        assert opened.sha256 == large.version_tag
    assert list(disk.iterdir()) == []
