"""The disk is full: every part says so in its own words, nothing half-written is visible, and room repairs it all."""

import base64
import contextlib
import json
import sqlite3
import subprocess
import tempfile
from dataclasses import replace

import pytest
from command import wait_until
from db_samples import a_result, add_jobs, count, new_postgres
from redis.exceptions import RedisError
from servers import PostgresServer, RedisServer

from config.envelopes import read_job_ids
from config.queues import lane_queue
from config.settings import Settings
from db import history, ledger
from db.engine import make_engine
from db.errors import DatabaseUnavailable
from db.migrate import upgrade
from db.reasons import JobState
from scheduler.app import make_app
from scheduler.publish import publish_due
from storage.errors import StorageUnavailable
from storage.local import LocalStore
from storage.spool import MEMORY_LIMIT_BYTES

DISK_MIB = 12
CLUSTER_DISK_MIB = 160  # an empty cluster with its first WAL takes 60
N_JOBS = 20
N_SEGMENTS = 200


@contextlib.contextmanager
def mounted(folder, *, size_mib):
    """Mount a small disk on a folder, where this user may."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def disk(tmp_path):
    """A disk of 12 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with mounted(folder, size_mib=DISK_MIB):
        yield folder


class PostgresOnSmallDisk(PostgresServer):
    """A PostgreSQL whose data folder is moved to a disk of its own before it starts."""

    @property
    def disk(self):
        return self._data

    def move_to_disk(self):
        """Mount the disk; gives the context in which it is there."""
        stack = contextlib.ExitStack()
        whole = self._data.rename(self._data.with_name("whole"))
        self._data.mkdir()
        stack.enter_context(mounted(self._data, size_mib=CLUSTER_DISK_MIB))
        subprocess.run(["cp", "-a", f"{whole}/.", self._data], check=True)
        return stack


@pytest.fixture
def postgres_on_disk(postgres_server):
    """A PostgreSQL with a disk of its own; skips, or fails where servers are required, as `postgres_server` does."""
    server = PostgresOnSmallDisk()
    try:
        with server.move_to_disk():
            server.start()
            yield server
            server.stop()
    finally:
        server.close()


@pytest.fixture
def redis_on_disk(redis_server, disk):
    """A Redis whose append-only file has a disk of its own; skips, or fails where servers are required."""
    server = RedisServer(is_persistent=True, data=disk)
    try:
        server.start()
        yield server
    finally:
        server.close()


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


def test_a_postgresql_on_a_full_disk_refuses_and_is_whole_once_there_is_room(postgres_on_disk):
    large = replace(a_result(), segments=a_result().segments * (N_SEGMENTS // 2), n_windows=N_SEGMENTS)
    with new_postgres(postgres_on_disk, n_pooled=None) as engine:
        add_jobs(engine, N_JOBS)
        claims = [ledger.claim(engine, job_id, worker="w", lease_s=600.0) for job_id in range(1, N_JOBS + 1)]
        assert ledger.finish(engine, claims[0], large)

        n_refused = 0
        with filled(postgres_on_disk.disk):
            for claim in claims[1:]:
                try:
                    ledger.finish(engine, claim, large)
                except DatabaseUnavailable:
                    n_refused += 1

        assert n_refused > 0
        postgres_on_disk.start()  # it ends itself where not even its log finds room
        assert count(engine, "results") == N_JOBS - n_refused
        assert count(engine, "segments") == (N_JOBS - n_refused) * N_SEGMENTS
        for claim in claims[1:]:
            ledger.finish(engine, claim, large)
        assert count(engine, "results") == N_JOBS
        assert history.counts(engine).by_state == {JobState.DONE: N_JOBS}


def test_a_broker_on_a_full_disk_refuses_and_what_it_refused_is_rung_once_there_is_room(redis_on_disk, disk, tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'tonalog.db'}")
    upgrade(engine)
    app = make_app(Settings.read(home=tmp_path / "home", broker_url=redis_on_disk.url))
    ids = add_jobs(engine, N_JOBS)

    with filled(disk):
        assert wait_until(lambda: refuses(redis_on_disk), timeout_s=30, every_s=0.01)
        refused = publish_due(engine, app, queue_cap=100)
        counted = history.counts(engine).by_state

    assert refused.n_sent == 0
    assert counted == {JobState.PENDING: N_JOBS}
    assert wait_until(lambda: publish_due(engine, app, queue_cap=100).n_sent > 0, timeout_s=30)
    with redis_on_disk.connect() as client:
        messages = client.lrange(f"tonalog:{lane_queue('nightly')}", 0, -1)
    bodies = [json.loads(base64.b64decode(json.loads(message)["body"])) for message in messages]
    assert {job_id for body in bodies for job_id in read_job_ids(body)} == set(ids)


def refuses(redis):
    """Write a little, and say whether the server refused it; with `everysec` it says so a second late."""
    try:
        with redis.connect() as client:
            client.set("ballast", b"x" * 100_000)
    except RedisError:
        return True
    return False


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
