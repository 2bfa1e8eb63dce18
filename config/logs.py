"""One log line an event: time, level, logger, a static name, then the event's fields; never a secret or a name."""

import logging

from config.plain_text import printable

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "data"}
# Libraries that at DEBUG write down what they are given: object keys, metadata, signatures, whole compiled functions.
_TALKATIVE = ("boto3", "botocore", "s3transfer", "urllib3", "numba")
# SQLAlchemy writes every statement with its parameters, and so keys and people, at INFO already.
_SPEAKS_SQL = "sqlalchemy"
_LINE = "%(asctime)s %(levelname)s %(name)s %(message)s"
_MAX_TEXT = 1_000  # of a message or a field
FOR_PEOPLE = "tonalog: %(message)s"


class FieldFormatter(logging.Formatter):
    """Formats a record and appends what was given as `extra`.

    >>> record = logging.makeLogRecord({"msg": "lease lost", "levelname": "WARNING", "name": "worker", "job_id": 7})
    >>> FieldFormatter("%(levelname)s %(name)s %(message)s").format(record)
    'WARNING worker lease lost job_id=7'
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the message line with its fields."""
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line = _one_line(super().formatMessage(record))
        return " ".join([line, *(f"{name}={_one_line(str(value))}" for name, value in sorted(fields.items()))])


def _one_line(text: str) -> str:
    r"""Spell out control characters and cut what is long, so that no value can pass for a line of its own.

    >>> _one_line("7\n2026-03-01 ERROR forged")
    '7\\n2026-03-01 ERROR forged'
    >>> len(_one_line("x" * 10_000))
    1003
    """
    spelt = printable(text[: _MAX_TEXT + 1])
    return spelt if len(spelt) <= _MAX_TEXT else f"{spelt[:_MAX_TEXT]}..."


def configure(level: str, *, line: str = _LINE) -> None:
    """Send this process's log lines to stderr, each as `line` says; a second call changes only the level.

    Libraries that would write keys and names down at DEBUG stay at INFO, SQLAlchemy at WARNING.
    """
    root = logging.getLogger()
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(root.level, logging.INFO))
    logging.getLogger(_SPEAKS_SQL).setLevel(max(root.level, logging.WARNING))
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(FieldFormatter(line))
    root.addHandler(handler)
