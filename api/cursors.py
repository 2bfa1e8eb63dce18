"""Cursors: where a list goes on, as text that an app keeps and does not read.

A cursor holds positions and no right: whose rows are read says the key alone, so that a changed cursor shows nothing
that its bearer could not ask for. It is bound to the question it came from, because in another one it would skip rows.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NoReturn

from api.problems import Problem, bad_parameter

Part = int | str | None
_N_HASH = 12


def encode(question: Sequence[object], *parts: Part) -> str:
    """Write a cursor.

    Args:
        question: what was asked, but for the page; see `decode`.
        *parts: where the list goes on.

    Returns:
        Text of letters, digits, `-` and `_`.
    """
    text = json.dumps([_hash(question), *parts], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str, question: Sequence[object], *kinds: type | tuple[type, ...]) -> list[Part]:
    """Read a cursor that an app sent.

    >>> decode(encode(["notes", "ana"], 7, None), ["notes", "ana"], int, (str, type(None)))
    [7, None]

    Args:
        cursor: the text.
        question: what is asked now.
        *kinds: the types of its parts, in order.

    Raises:
        Problem: it is no cursor, or one of another question.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(text)
    except (ValueError, binascii.Error, RecursionError):
        raise _unusable(cursor) from None
    if not isinstance(found, list) or len(found) != len(kinds) + 1 or found[0] != _hash(question):
        raise _unusable(cursor)
    parts = found[1:]
    # A bool is an int to Python, and no database holds a number beyond 64 bits.
    is_right = [isinstance(part, kind) and not isinstance(part, bool) for part, kind in zip(parts, kinds, strict=True)]
    if not all(is_right) or any(isinstance(part, int) and not 0 <= part < 2**63 for part in parts):
        raise _unusable(cursor)
    return parts


def read_moment(cursor: str, text: str) -> datetime:
    """Read a moment of a cursor.

    Raises:
        Problem: it is none, or has no offset.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else _refuse(cursor)
    except (ValueError, OverflowError):
        raise _unusable(cursor) from None


def read_day(cursor: str, text: str) -> date:
    """Read a day of a cursor.

    Raises:
        Problem: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _unusable(cursor) from None


def _refuse(cursor: str) -> NoReturn:
    raise _unusable(cursor)


def _unusable(cursor: str) -> Problem:
    message = "not a cursor of this question: give the next_cursor of its last page as it was, or none to begin anew"
    return bad_parameter("query", "cursor", message=message, value=cursor)


def _hash(question: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(question, default=str).encode()).hexdigest()[:_N_HASH]
