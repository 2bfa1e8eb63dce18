"""Nothing of the folder that a command is called in is executed, and a worker that cannot start says why."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import NOTES, wait_until

from config.queues import prepare_folders
from config.settings import Settings
from tonalog.local_worker import LocalWorker, WorkerCannotStart

TONALOG = Path(sys.executable).with_name("tonalog")
NOTE = NOTES / "luca" / "2026-03-02T12-30-00Z.m4a"
ROOMS = ("config", "db", "people", "scheduler", "storage", "tonalog", "trends", "worker")
LIBRARIES = ("celery", "celeryconfig", "click", "django", "json", "numpy", "sitecustomize", "sqlalchemy", "typing")


@pytest.fixture
def hostile(tmp_path):
    """A folder with one note and modules of every name that we import, each of which tells when it is executed."""
    folder = tmp_path / "notes"
    tell = f"open({str(tmp_path / 'executed')!r}, 'a').write(__name__ + ' ')\n"
    for name in ROOMS:
        (folder / name).mkdir(parents=True)
    for name in ROOMS[::2]:  # the others stay as in the folder above a clone: no __init__, and yet importable
        (folder / name / "__init__.py").write_text(tell)
    for name in LIBRARIES:
        (folder / f"{name}.py").write_text(tell)
    shutil.copy(NOTE, folder)
    return folder


def call(command, folder, **variables):
    environment = {"PATH": os.environ["PATH"], "TONALOG_HOME": str(folder.parent / "home"), **variables}
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_no_module_of_the_folder_is_executed_and_its_note_is_scored(hostile, tmp_path):
    # What another Celery application on this machine may have set: each would be imported, or asked for jobs.
    of_celery = {
        "APP": "json",
        "CONFIG_MODULE": "numpy",
        "DJANGO_SETTINGS_MODULE": "config",
        "CELERY_LOADER": "db:Loader",
    }
    of_celery |= {"CELERY_CONFIG_MODULE": "celeryconfig", "BROKER_URL": "redis://127.0.0.1:1", "LOADER": "db:Loader"}

    done = call([TONALOG, "run", "."], hostile, **of_celery, CELERY_BROKER_URL="redis://127.0.0.1:1")

    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "home" / "tonalog.db") as database:
        states = dict(
            database.execute("SELECT key, jobs.state FROM recordings JOIN jobs ON recordings.id = recording_id")
        )
    assert states.pop(NOTE.name) == "DONE"
    assert set(states.values()) == {"DEAD"}
    assert not (tmp_path / "executed").exists(), (tmp_path / "executed").read_text()


@pytest.mark.parametrize("path", [None, "", ":", "/nowhere:"])
def test_python_m_in_the_folder_executes_none_of_our_rooms_either(hostile, tmp_path, path):
    shutil.rmtree(hostile / "tonalog")
    for name in LIBRARIES:
        (hostile / f"{name}.py").unlink()  # Python itself reads these before it comes to us
    variables = {} if path is None else {"PYTHONPATH": path}

    done = call([sys.executable, "-m", "tonalog", "settings"], hostile, **variables)

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "executed").exists()


def test_what_a_command_starts_has_no_working_folder_in_its_path(tmp_path):
    (tmp_path / "empty").mkdir()
    ask = "import subprocess, sys; from tonalog.process import settle; settle(); "
    ask += "subprocess.run([sys.executable, '-c', 'import sys; print(sys.path)'], check=True)"

    done = call([sys.executable, "-c", ask], tmp_path / "empty", PYTHONPATH=":/nowhere")

    assert "/nowhere" in done.stdout
    assert "''" not in done.stdout
    assert str(tmp_path) not in done.stdout


@pytest.fixture
def settings(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("TONALOG_")]:
        monkeypatch.delenv(name)
    settings = Settings.read(home=tmp_path / "home", worker_concurrency=1)
    prepare_folders(settings)
    return settings


def wait_for_its_end(worker):
    assert wait_until(lambda: worker._process.poll() is not None, timeout_s=60, every_s=0.02)


def test_a_worker_that_cannot_start_is_told_at_once_with_its_reason(settings, monkeypatch):
    (settings.home / "worker.log").write_text("an older line\n")
    monkeypatch.setenv("TONALOG_RETENTION_DAY", "1")
    begun = time.monotonic()

    with LocalWorker(settings) as worker:
        wait_for_its_end(worker)
        with pytest.raises(WorkerCannotStart) as error:
            worker.keep_alive()

    said = str(error.value)
    assert "(code 1): tonalog: TONALOG_RETENTION_DAY: no such setting; use TONALOG_RETENTION_DAYS." in said
    assert str(settings.home / "worker.log") in said
    assert said.count("\n") == 0
    assert time.monotonic() - begun < 30


def test_a_worker_that_was_killed_or_ended_after_it_was_ready_is_started_again(settings):
    log = settings.home / "worker.log"

    with LocalWorker(settings) as worker:
        worker._process.send_signal(signal.SIGKILL)
        wait_for_its_end(worker)
        assert worker.keep_alive()
        assert wait_until(lambda: b" ready" in log.read_bytes(), timeout_s=60), log.read_text()
        worker._process.terminate()
        wait_for_its_end(worker)
        assert worker.keep_alive()
        assert not worker.keep_alive()
