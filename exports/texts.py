"""Writes values as text that any program reads back as the same value."""

import json
from datetime import UTC, date, datetime
from typing import Any


def as_plain(value: Any) -> Any:
    """Make a value fit for JSON: moments of a zone in UTC with `Z`, all others as they are.

    >>> as_plain(datetime(2026, 3, 2, 8, 15, tzinfo=UTC)), as_plain(date(2026, 3, 2)), as_plain(0.5)
    ('2026-03-02T08:15:00.000000Z', '2026-03-02', 0.5)
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(timespec="microseconds")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return value.isoformat() if isinstance(value, date) else value


def as_line(values: Any) -> str:
    """Write one JSON value on one line.

    >>> as_line({"subject": "josé", "at": None})
    '{"subject":"josé","at":null}'
    """
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=as_plain)
