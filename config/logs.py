"""One log line an event: time, level, logger, a static name, then the event's fields; as text or JSON, never a secret or a name.

Modules log by the standard library, with fields as `extra`; structlog writes their lines, and those of Celery and uvicorn.
"""

import logging
import math
import os
import stat
import sys
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import structlog
from structlog.types import EventDict, Processor

from config.plain_text import printable

Form = Literal["auto", "json", "text"]
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data", "color_message"}
# Libraries that at DEBUG write down what they are given: object keys, metadata, signatures, whole compiled functions.
_TALKATIVE = ("boto3", "botocore", "s3transfer", "urllib3", "numba", "opentelemetry")
# SQLAlchemy writes every statement with its parameters, and so keys and people, at INFO already.
_SPEAKS_SQL = "sqlalchemy"
# Celery's lines of each tick and job: 17,000 a day where nothing is done, and a recording has a line of ours.
_EACH_TASK = ("celery.app.trace", "celery.beat", "celery.worker.strategy")
_LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"
_MAX_TEXT = 1_000  # of a message or a field
FOR_PEOPLE = "tonalog: %(message)s"


def _one_line(text: str) -> str:
    r"""Spell out control characters and cut what is long, so that no value can pass for a line of its own.

    >>> _one_line("7\n2026-03-01 ERROR forged")
    '7\\n2026-03-01 ERROR forged'
    >>> len(_one_line("x" * 10_000))
    1003
    """
    spelt = printable(text[: _MAX_TEXT + 1])
    return spelt if len(spelt) <= _MAX_TEXT else f"{spelt[:_MAX_TEXT]}..."


def make_formatter(form: Literal["json", "text"], *, line: str = _LINE) -> logging.Formatter:
    r"""Return what writes a record with its fields.

    Args:
        form: json for one object a line; text for `line`, then the fields, then a traceback if there is one.
        line: of a text, as `logging` takes it.

    >>> record = logging.makeLogRecord({"msg": "lease lost", "levelname": "WARNING", "name": "worker", "job_id": 7})
    >>> make_formatter("text", line="%(levelname)s %(name)s %(message)s").format(record)
    'WARNING worker lease lost job_id=7'
    >>> record.created = 0.0
    >>> make_formatter("json").format(record)
    '{"time": "1970-01-01T00:00:00.000Z", "level": "WARNING", "logger": "worker", "event": "lease lost", "job_id": 7}'
    """
    if form == "text":
        return _Text(line)
    processors: list[Processor] = [
        structlog.processors.format_exc_info,
        _take_fields,
        structlog.processors.JSONRenderer(),
    ]
    return structlog.stdlib.ProcessorFormatter(processors=processors)


class _Text(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = _one_line(super().formatMessage(record))
        return " ".join([line, *(f"{name}={value}" for name, value in _fields_of(record).items())])


def _take_fields(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Make the object of a line: what every line has, the event's own fields, and a traceback if there is one."""
    record: logging.LogRecord = event["_record"]
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    always = {"time": moment, "level": record.levelname, "logger": record.name, "event": _one_line(event["event"])}
    more = {"exception": printable(event["exception"])} if "exception" in event else {}
    return {**always, **_fields_of(record), **always, **more}


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what was given as `extra`, by name: numbers as they are, all else as text on one line."""
    given = sorted((name, value) for name, value in vars(record).items() if name not in _STANDARD)
    return {name: value if _is_plain(value) else _one_line(str(value)) for name, value in given}


def _is_plain(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and math.isfinite(value))


def configure(level: str, *, form: Form = "text", line: str = _LINE) -> None:
    """Send this process's log lines to stderr; a second call changes only the level.

    Libraries that would write keys and names down at DEBUG stay at INFO, SQLAlchemy at WARNING; so do Celery's lines of
    each tick and job, unless the level is DEBUG.

    Args:
        level: such as INFO.
        form: json or text; auto is json where stderr is a pipe or a socket.
        line: of a text, as `logging` takes it.
    """
    root = logging.getLogger()
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.INFO))
    logging.getLogger(_SPEAKS_SQL).setLevel(max(root.level, logging.WARNING))
    for name in _EACH_TASK:
        logging.getLogger(name).setLevel(root.level if root.level < logging.INFO else max(root.level, logging.WARNING))
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(make_formatter(_choose(form), line=line))
    root.addHandler(handler)


def _choose(form: Form) -> Literal["json", "text"]:
    if form != "auto":
        return form
    return "json" if _is_pipe(sys.stderr) else "text"


def _is_pipe(stream: TextIO | None) -> bool:
    """Say whether somebody collects what is written: a container's engine, journald, another program."""
    try:
        mode = os.fstat(stream.fileno()).st_mode if stream is not None else 0
    except (OSError, ValueError):  # a stream of ours, in a test
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
