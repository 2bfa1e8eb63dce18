"""Processes load what their work needs and nothing else: start and memory of each depend on that."""

import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
from command import ROOT, Cli

import trends
from storage.s3_client import _share_loader, make_client, preload

ROWS_ONLY = ("dead", "erase", "keys", "models", "operate", "read", "settings", "status", "subjects")
HEAVY = ("numpy", "av", "onnxruntime", "librosa", "celery")
NOTE = ROOT / "examples" / "notes" / "vera" / "2026-03-05T06-58-20Z.wav"
# Of training, of the extras, of upgrades of the schema, of stores that are not used, and of consoles.
NEVER_TO_SCORE = {
    *("librosa", "llvmlite", "matplotlib", "numba", "onnx", "pandas", "scipy", "sklearn", "torch", "transformers"),
    *("alembic", "mako", "boto3", "botocore", "fastapi", "jinja2", "opentelemetry", "pyarrow", "starlette", "uvicorn"),
    *(
        "api",
        "exports",
        "people",
        "pictures",
        "scheduler",
        "training",
        "click_repl",
        "prompt_toolkit",
        "prometheus_client",
    ),
}
NOT_TO_SCHEDULE = {
    "alembic",
    "api",
    "av",
    "boto3",
    "celery.bin.celery",
    "exports",
    "fastapi",
    "onnxruntime",
    "pictures",
    "scipy",
}
SCORE = f"""
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
sys.argv = ["tonalog", "score", "--json", {str(NOTE)!r}]
from tonalog.__main__ import main
main()
"""
# The child tells what it has loaded when its job is done, and ends the worker, which tells of itself.
WORK = """
import ctypes, os, signal, sys
from pathlib import Path
from celery.signals import task_postrun, worker_shutdown

def tell(name):
    Path(os.environ["TOLD"], name).write_text(" ".join(sys.modules))

def tell_child(**_):
    tell("child")
    number = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(number))  # PR_GET_PDEATHSIG
    Path(os.environ["TOLD"], "at_parents_end").write_text(str(number.value))
    os.kill(os.getppid(), signal.SIGTERM)

task_postrun.connect(tell_child, weak=False)
worker_shutdown.connect(lambda **_: tell("parent"), weak=False)
sys.argv = ["tonalog", "worker", "--concurrency", "1"]
from tonalog.__main__ import main
main()
"""


def test_commands_on_rows_load_no_audio_stack_and_no_celery():
    names = ", ".join(f"tonalog.commands.{name}" for name in ROWS_ONLY)
    code = f"import sys, {names}; print(*(name for name in {HEAVY!r} if name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.split() == []


def test_a_scheduler_loads_no_client_of_stores_that_it_does_not_use_and_no_migrations():
    code = f"import sys, scheduler.app, tonalog.commands.processes; print(*({NOT_TO_SCHEDULE!r} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.split() == []


def test_a_file_is_scored_without_database_queue_or_anything_that_scoring_does_not_need(tmp_path):
    clean = Cli(tmp_path).environment

    done = subprocess.run([sys.executable, "-c", SCORE], env=clean, check=True, capture_output=True, text=True)

    loaded = rooms_of(done.stderr)
    assert '"status": "scored"' in done.stdout
    assert "onnxruntime" in loaded
    assert not loaded & {*NEVER_TO_SCORE, "celery", "db", "kombu", "sqlalchemy", "storage"}


def test_a_worker_scores_with_nothing_loaded_that_it_does_not_need(worked):
    told, home = worked

    for process in ("parent", "child"):
        loaded = rooms_of(told[process])
        assert {"celery", "onnxruntime", "sqlalchemy"} <= loaded
        assert not loaded & NEVER_TO_SCORE
    with sqlite3.connect(home / "tonalog.db") as database:
        assert database.execute("SELECT status FROM results").fetchall() == [("SCORED",)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_pool_process_ends_with_its_parent(worked):
    assert int(worked[0]["at_parents_end"]) == signal.SIGKILL


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """What a worker's two processes had loaded after they scored a note, and the home folder."""
    folder = tmp_path_factory.mktemp("worked")
    notes = folder / "notes" / "vera"
    notes.mkdir(parents=True)
    shutil.copy(NOTE, notes)
    cli = Cli(folder)
    cli("db", "upgrade")
    cli("scan", folder / "notes")
    environment = {**cli.environment, "TOLD": str(folder)}
    subprocess.run([sys.executable, "-c", WORK], env=environment, cwd=folder, check=True, timeout=120)
    return {name: (folder / name).read_text() for name in ("parent", "child", "at_parents_end")}, folder / "home"


def rooms_of(modules):
    return {name.partition(".")[0] for name in modules.split()}


def test_a_client_of_s3_is_made_of_what_was_read_before_the_fork(monkeypatch):
    preload()
    monkeypatch.setattr("botocore.loaders.JSONFileLoader.load_file", lambda *_: pytest.fail("a file was read again"))
    given = {"endpoint_url": "http://127.0.0.1:1", "region": "eu-west-1", "access_key": "a", "secret_key": "b"}

    clients = [make_client("notes", verify=True, **given) for _ in range(3)]

    assert {client.meta.region_name for client in clients} == {"eu-west-1"}
    assert len(_share_loader().search_paths) <= 4  # botocore's two, boto3's once or twice


def test_all_names_of_trends_are_found_where_they_are_looked_for():
    assert all(getattr(trends, name) is not None for name in trends.__all__)
    assert sorted(trends._PLACE_OF) == sorted(trends.__all__)
    with pytest.raises(AttributeError, match=r"'trends'.*'nothing'"):
        _ = trends.nothing
