"""An upgrade while notes are scored: the previous release's worker and scheduler go on beside the new schema, nothing is lost."""

import io
import signal
import subprocess
import sys
import tarfile

import psycopg
import pytest
import soundfile
from command import ROOT, Cli, kill_tree, wait_until

from tests.unit.bundles import write_bundle
from tests.unit.sounds import RATE_HZ, make_voice

PREVIOUS = "5dd51bf"  # the last commit with schema 0016
PREVIOUS_HEAD = "0016"
ROOMS = ("api", "config", "db", "exports", "people", "pictures", "scheduler", "storage", "tonalog", "trends", "worker")
N_NOTES = 4  # that arrive in each step


@pytest.fixture(scope="module")
def previous(tmp_path_factory):
    """The folder of the previous release's code."""
    asked = ["git", "-C", str(ROOT), "archive", "--format=tar", PREVIOUS, *ROOMS]
    try:
        archive = subprocess.run(asked, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed, so that there is no previous release to run")
    if archive.returncode != 0:
        pytest.skip(f"this copy has no history with {PREVIOUS}: {archive.stderr.decode(errors='replace').strip()}")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


class Previous(Cli):
    """The `tonalog` command of the previous release, with the same settings and packages."""

    @property
    def environment(self):
        return {**super().environment, "PYTHONPATH": str(self.cwd)}

    def ask_previous(self, *command):
        done = subprocess.run(
            [sys.executable, *command], env=self.environment, cwd=self.cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def releases(tmp_path, previous, redis_url, postgres_url):
    """The commands of the new and of the previous release, on the same servers."""
    (tmp_path / "notes").mkdir()
    variables = {
        "TONALOG_DATABASE_URL": postgres_url,
        "TONALOG_BROKER_URL": redis_url,
        "TONALOG_STORAGE_URL": str(tmp_path / "notes"),
        "TONALOG_MODEL_DIR": str(write_bundle(tmp_path / "tiny-0.0.1")),
        "TONALOG_SWEEP_S": "0.5",
        "TONALOG_WORKER_CONCURRENCY": "1",
    }
    return Cli(tmp_path, variables), Previous(tmp_path, variables, cwd=previous)


@pytest.mark.long
def test_the_previous_release_goes_on_beside_the_new_schema_and_nothing_is_lost(releases, tmp_path, postgres_url):
    new, old = releases
    assert str(old.cwd) in old.ask_previous("-c", "import db; print(db.__file__)")
    old.ask_previous("-m", "tonalog", "db", "upgrade")
    assert ask(postgres_url, "SELECT version_num FROM alembic_version") == [(PREVIOUS_HEAD,)]
    started = [old.start(name, log=f"old-{name}.log") for name in ("scheduler", "worker")]
    try:
        arrive(tmp_path, "a")
        old.ask_previous("-m", "tonalog", "scan")
        assert wait_until(lambda: n_done(postgres_url) > 0, timeout_s=120), old.worker_log()
        assert f"went from {PREVIOUS_HEAD} to" in new("db", "upgrade")  # while the rest of the first notes is scored

        arrive(tmp_path, "b")
        assert "to workers" in new("scan")
        assert wait_until(lambda: n_done(postgres_url) == 2 * N_NOTES, timeout_s=120), old.worker_log()
        assert all(process.poll() is None for process in started)

        started += [new.start(name, log=f"new-{name}.log") for name in ("scheduler", "worker")]
        arrive(tmp_path, "c")
        new("scan")
        for process in started[:2]:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(60) for process in started[:2]] == [0, 0]

        arrive(tmp_path, "d")
        new("scan")
        assert wait_until(lambda: n_done(postgres_url) == 4 * N_NOTES, timeout_s=120), new.worker_log()
    finally:
        for process in started:
            if process.poll() is None:
                kill_tree(process)

    assert ask(postgres_url, "SELECT state, reason, count(*) FROM jobs GROUP BY 1, 2") == [("DONE", None, 4 * N_NOTES)]
    assert ask(postgres_url, "SELECT count(*), count(DISTINCT recording_id) FROM results") == [(4 * N_NOTES,) * 2]
    assert ask(postgres_url, "SELECT DISTINCT outcome FROM attempts") == [("DONE",)]
    # One process of each release has scored.
    assert len(ask(postgres_url, "SELECT DISTINCT worker FROM attempts")) == 2


def arrive(folder, name):
    for n in range(N_NOTES):
        voice = make_voice(1.0, pitch_hz=120.0 + 10 * n, seed=n + ord(name) * N_NOTES)
        written = folder / f"{name}{n}.part"
        soundfile.write(written, voice, RATE_HZ, format="WAV", subtype="PCM_16")
        written.rename(folder / "notes" / f"{name}{n}.wav")


def n_done(url):
    return ask(url, "SELECT count(*) FROM jobs WHERE state = 'DONE'")[0][0]


def ask(url, statement):
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        return connection.execute(statement).fetchall()
