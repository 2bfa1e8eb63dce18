"""What a process logs, and how: our own lines, as text or JSON, and nothing of libraries that write down what they are given."""

import json
import logging
import socket
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from config import logs
from db.engine import make_engine
from db.reasons import Lane

EACH_TASK = ("celery.app.trace", "celery.beat", "celery.worker.strategy")


@pytest.fixture(autouse=True)
def levels():
    """Put the levels back as they were."""
    loggers = [logging.getLogger(name) for name in (None, "botocore", "urllib3", "numba", "sqlalchemy", *EACH_TASK)]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize(("level", "library_level"), [("DEBUG", logging.INFO), ("WARNING", logging.WARNING)])
def test_libraries_that_would_write_keys_down_stay_at_info(level, library_level):
    logs.configure(level)

    assert logging.getLogger("worker.tasks").getEffectiveLevel() == logging.getLevelName(level)
    for name in ("botocore.endpoint", "urllib3.connectionpool", "numba.core"):
        assert logging.getLogger(name).getEffectiveLevel() == library_level


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_statement_is_logged_because_its_parameters_are_keys_and_names(tmp_path, caplog, level):
    logs.configure(level)
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")

    with engine.connect() as connection:
        connection.execute(text("SELECT :name"), {"name": "canary"})

    assert "canary" not in caplog.text


HOSTILE = "a\n2026-03-01 ERROR forged\x1b[2J\u202eanna"


def make_record(**fields):
    return logging.makeLogRecord(
        {"name": "worker", "levelname": "INFO", "msg": "done", "created": 0.0, "msecs": 0.0, **fields}
    )


def test_a_line_of_json_is_one_object_with_the_fields_as_they_are():
    line = logs.make_formatter("json").format(
        make_record(job_id=7, share=0.5, is_new=True, reason=None, lane=Lane.BULK)
    )

    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "INFO",
        "logger": "worker",
        "event": "done",
        "job_id": 7,
        "share": 0.5,
        "is_new": True,
        "reason": None,
        "lane": "bulk",
    }


@pytest.mark.parametrize("form", ["json", "text"])
def test_other_peoples_words_make_no_line_and_no_field_of_their_own(monkeypatch, form):
    monkeypatch.setattr(logging.Formatter, "converter", time.gmtime)
    record = make_record(msg=HOSTILE, error=HOSTILE, n=float("nan"), event="mine", level="ERROR", time="now")
    line = logs.make_formatter(form).format(record)

    assert "\n" not in line
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert r"\u202eanna" in line
    if form == "json":
        said = json.loads(line)
        assert (said["level"], said["n"]) == ("INFO", "nan")
        assert said["event"] == said["error"] == r"a\n2026-03-01 ERROR forged\x1b[2J\u202eanna"
    else:
        assert line.startswith("1970-01-01 00:00:00,000 INFO worker ")


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_error_brings_its_traceback(form):
    try:
        int("away")
    except ValueError:
        line = logs.make_formatter(form).format(make_record(exc_info=sys.exc_info()))

    told = json.loads(line)["exception"] if form == "json" else line
    assert "Traceback" in told
    assert "ValueError: invalid literal" in told


@pytest.mark.parametrize(("stderr", "is_json"), [("a pipe", True), ("a socket", True), ("a file", False)])
def test_lines_are_json_where_another_program_collects_them(tmp_path, stderr, is_json):
    program = "from config import logs; import logging; logs.configure('INFO', form='auto'); logging.info('hello')"
    there, here = socket.socketpair()
    file = (tmp_path / "log").open("w+b")
    ends = {"a pipe": subprocess.PIPE, "a socket": there.fileno(), "a file": file}
    done = subprocess.run([sys.executable, "-c", program], stderr=ends[stderr], check=True)
    read = {"a pipe": lambda: done.stderr, "a socket": lambda: here.recv(1000), "a file": (tmp_path / "log").read_bytes}

    assert read[stderr]().startswith(b"{") is is_json
    for end in (there, here, file):
        end.close()


@pytest.mark.parametrize(("level", "is_told"), [("DEBUG", True), ("INFO", False), ("ERROR", False)])
def test_celery_tells_of_each_tick_and_job_at_debug_alone(level, is_told):
    logs.configure(level)

    assert [logging.getLogger(name).isEnabledFor(logging.INFO) for name in EACH_TASK] == [is_told] * 3
    assert all(logging.getLogger(name).isEnabledFor(logging.ERROR) for name in EACH_TASK)
