"""Periods of days in settings: a first and a last day with a stroke between them, as ISO 8601 writes them."""

from __future__ import annotations

from datetime import date


def read_period(text: str) -> tuple[date, date]:
    """Return the first and the last day of a period, both included.

    Raises:
        ValueError: it is none, or ends before it begins.

    Example:
        >>> first, last = read_period("2026-03-01/2026-04-30")
        >>> print(first, last)
        2026-03-01 2026-04-30
    """
    try:
        first, last = (date.fromisoformat(day.strip()) for day in text.split("/"))
    except ValueError:
        raise ValueError(f"{text!r} is no period; use a first and a last day such as 2026-03-01/2026-04-30") from None
    if last < first:
        raise ValueError(f"{text!r} ends before it begins")
    return first, last


def check_period(text: str | None) -> str | None:
    """Return the text of a period as it is; None of an empty one, as Compose passes on a variable that is not set.

    Raises:
        ValueError: it is no period.
    """
    if text is None or not text.strip():
        return None
    read_period(text)
    return text
