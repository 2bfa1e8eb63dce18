"""Times, lengths and scores as people read them; prints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Protocol

from db.rows import Model
from db.schema import EMOTIONS
from tonalog.screen import Cell, strong

_SHORT = 3
DIMENSIONS = ("arousal", "valence")


class Timed(Protocol):
    """What says when something was recorded: a note or a recording."""

    @property
    def recorded_at(self) -> datetime | None:
        """The moment, or the start of the day; None where it is unknown."""

    @property
    def recorded_at_precision(self) -> str | None:
        """How exactly that is known: second, minute or day."""

    @property
    def utc_offset_min(self) -> int | None:
        """What the recorder's clock was ahead of UTC; None where nobody said."""

    @property
    def local_day(self) -> date | None:
        """The day on the recorder's calendar."""


def minutes(ms: float) -> str:
    """Return a duration as minutes and seconds.

    >>> minutes(83_400)
    '1:23'
    """
    return f"{int(ms // 60_000)}:{int(ms % 60_000 // 1000):02d}"


def when(moment: datetime | None) -> str:
    """Return a moment of ours in UTC.

    >>> when(None)
    'unknown'
    """
    return "unknown" if moment is None else moment.strftime("%Y-%m-%d %H:%M")


def local_time(spoken: Timed) -> str:
    """Return when something was recorded by the recorder's own clock, no finer than it is known.

    Where nobody said what that clock showed, it is the time in UTC, with these letters behind it.
    """
    moment = in_local_time(spoken)
    if moment is None:
        return "unknown"
    if spoken.recorded_at_precision == "day":
        return (spoken.local_day or moment.date()).isoformat()
    return when(moment) + ("" if spoken.utc_offset_min is not None else " UTC")


def in_local_time(spoken: Timed) -> datetime | None:
    """Return the moment of recording with the offset of the recorder's clock, or in UTC where nobody said that."""
    if spoken.recorded_at is None or spoken.utc_offset_min is None:
        return spoken.recorded_at
    return spoken.recorded_at.astimezone(timezone(timedelta(minutes=spoken.utc_offset_min)))


def labels_of(model: Model | None) -> tuple[str, ...]:
    """Return what a model tells apart, in its own order; the four emotions before there is a model."""
    return EMOTIONS if model is None else model.labels


def shortened(labels: Sequence[str]) -> list[str]:
    """Return labels as headings of narrow columns, three letters or as many as tell them apart.

    >>> shortened(["anger", "fear"]), shortened(["disgust", "dislike"])
    (['ang', 'fea'], ['disg', 'disl'])
    """
    n_letters = _SHORT
    while len({name[:n_letters] for name in labels}) < len(set(labels)):
        n_letters += 1
    return [name[:n_letters] for name in labels]


def score_cells(scores: Mapping[str, float] | None, label: str | None, *, labels: Sequence[str]) -> list[Cell]:
    """Return the score of each label as a cell, the note's own label in bold; empty where there is none."""
    shown = {name: f"{score:.2f}" for name, score in (scores or {}).items()}
    return [strong(shown.get(name, "")) if name == label else shown.get(name, "") for name in labels]
