"""A person's day in one measure: the mean of its notes, how sure it is, and what could not be heard.

A note's level is a mean over its windows on the scale of log odds (`trends.within_note`), so that it does not depend on how long
the note is; a note's pooled score would: the log odds of a mean are nearer to 0 the more windows are in it.

A day's level is the plain mean of its notes' levels. Weights by speech were worst on simulated days with notes of 2, 5 and 75 windows,
because they leave the day to one note; inverse variances gain a few per cent, more where a person's notes of one day are
alike, but they are estimated from other days, so that a day would move when later days come (docs/trends.md has the table). Its standard error is ``sqrt(sum(between^2 + within^2 / n_windows_i)) / n``:
notes of one day differ (`between`), and so do windows of one note (`within`).

Uncertain notes are in the mean. Leaving them out would keep the extreme ones and make every day look more emotional.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any


class NoteState(StrEnum):
    """How a note's scoring ended, as the views say it."""

    SCORED = "scored"
    NO_SPEECH = "no_speech"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PENDING = "pending"


@dataclass(frozen=True, kw_only=True)
class NoteLevel:
    """A note of one day, in one measure.

    Attributes:
        state: of its scoring; only a scored one has the rest.
        level: mean over windows, log odds; None unless scored.
        spread: standard deviation of single windows, 0 or more; None with fewer than two windows.
        n_windows: that count by their new speech: the effective number, over 0 if scored.
        speech_s: in it, 0 or more.
        is_uncertain: whether its label is too uncertain to be relied on.

    Raises:
        ValueError: a scored note has no level or no windows, or a value is not allowed.
    """

    state: NoteState
    level: float | None = None
    spread: float | None = None
    n_windows: float = 0.0
    speech_s: float = 0.0
    is_uncertain: bool = False

    def __post_init__(self) -> None:
        """Check once, so that no arithmetic has to."""
        if (self.state is NoteState.SCORED) != (self.level is not None):
            raise ValueError(
                f"a note that is {self.state.value} has level {self.level}; a level is what scored ones have"
            )
        if self.level is not None and not (math.isfinite(self.level) and self.n_windows > 0):
            raise ValueError(
                f"level {self.level} of {self.n_windows} windows; needed are a finite one and windows over 0"
            )
        if self.spread is not None and not (math.isfinite(self.spread) and self.spread >= 0):
            raise ValueError(f"spread is {self.spread}; allowed are finite values from 0")
        if not (math.isfinite(self.speech_s) and self.speech_s >= 0):
            raise ValueError(f"speech_s is {self.speech_s}; allowed are finite values from 0")


@dataclass(frozen=True, kw_only=True)
class NoteSpread:
    """By how much a person's notes vary, for the standard errors of days; the defaults hold until the person is known.

    Attributes:
        between_sd: of notes of one day, beyond what their windows explain, log odds, 0 or more.
        within_sd: of windows of one note, log odds, 0 or more.
    """

    between_sd: float = 0.7
    within_sd: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Day:
    """One local day of a person, in one measure and by one model.

    Attributes:
        day: on the recorder's calendar.
        model: that scored it.
        level: mean of the scored notes' levels, log odds; None where none is scored: a gap.
        error: standard error of that, over 0; None where there is no level.
        n_scored: notes in the mean, uncertain ones too.
        n_uncertain: of them, those with an uncertain label.
        n_no_speech: notes without enough speech.
        n_failed: notes that could not be scored, cancelled ones among them.
        n_pending: notes that are yet to be scored.
        speech_s: in the scored notes.
    """

    day: date
    model: str
    level: float | None
    error: float | None
    n_scored: int
    n_uncertain: int = 0
    n_no_speech: int = 0
    n_failed: int = 0
    n_pending: int = 0
    speech_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self) | {"day": self.day.isoformat()}


def summarise_day(day: date, model: str, notes: Iterable[NoteLevel], *, spread: NoteSpread | None = None) -> Day:
    """Summarise the notes of one local day; their order changes nothing.

    Args:
        day: on the recorder's calendar.
        model: that scored the notes.
        notes: all of that day, whatever became of them.
        spread: by how much this person's notes vary, from `measure_note_spread`; None where it is not known.

    Example:
        >>> calm = NoteLevel(state=NoteState.SCORED, level=-1.0, n_windows=2, speech_s=16)
        >>> long = NoteLevel(state=NoteState.SCORED, level=1.0, n_windows=75, speech_s=600)
        >>> day = summarise_day(date(2026, 3, 1), "m", [calm, long, NoteLevel(state=NoteState.PENDING)])
        >>> day.level, round(day.error, 2), day.n_scored, day.n_pending
        (0.0, 0.61, 2, 1)
    """
    every = list(notes)
    known = spread or NoteSpread()
    scored = [note for note in every if note.level is not None]
    counts = {state: sum(note.state is state for note in every) for state in NoteState}
    level = error = None
    if scored:
        level = math.fsum(note.level for note in scored if note.level is not None) / len(scored)
        variances = (known.between_sd**2 + known.within_sd**2 / note.n_windows for note in scored)
        error = math.sqrt(math.fsum(variances)) / len(scored)
    return Day(
        day=day,
        model=model,
        level=level,
        error=error,
        n_scored=len(scored),
        n_uncertain=sum(note.is_uncertain for note in scored),
        n_no_speech=counts[NoteState.NO_SPEECH],
        n_failed=counts[NoteState.FAILED] + counts[NoteState.CANCELLED],
        n_pending=counts[NoteState.PENDING],
        speech_s=math.fsum(note.speech_s for note in scored),
    )


PRIOR_DEGREES = 10  # so many differences of a person's own notes weigh as much as the default


def measure_note_spread(days: Sequence[Sequence[NoteLevel]], *, prior: NoteSpread | None = None) -> NoteSpread:
    """Return by how much a person's notes vary, shrunk towards what is usual.

    Variances are pooled over days and notes, the one between notes by the method of moments, after DerSimonian and Laird (1986,
    "Meta-analysis in clinical trials"): what the notes of a day differ beyond what their windows explain.

    Args:
        days: the notes of each day of the person.
        prior: what is usual; by default `NoteSpread()`.

    Example:
        >>> note = NoteLevel(state=NoteState.SCORED, level=0.0, spread=0.0, n_windows=11)
        >>> alike = measure_note_spread([[note, note]] * 10)
        >>> round(alike.between_sd, 3), round(alike.within_sd, 3)
        (0.493, 0.218)
    """
    usual = prior or NoteSpread()
    by_day = [[note for note in notes if note.level is not None] for notes in days]
    within_squares, within_degrees = usual.within_sd**2 * PRIOR_DEGREES, float(PRIOR_DEGREES)
    for note in (note for notes in by_day for note in notes):
        if note.spread is not None and note.n_windows > 1:
            within_squares += note.spread**2 * (note.n_windows - 1)
            within_degrees += note.n_windows - 1
    within = within_squares / within_degrees
    between_squares, between_degrees = usual.between_sd**2 * PRIOR_DEGREES, PRIOR_DEGREES
    excess = 0.0
    for notes in by_day:
        mean = math.fsum(note.level or 0.0 for note in notes) / max(len(notes), 1)
        excess += math.fsum(((note.level or 0.0) - mean) ** 2 for note in notes)
        excess -= math.fsum(within / note.n_windows for note in notes) * (1 - 1 / max(len(notes), 1))
        between_degrees += max(len(notes) - 1, 0)
    between = max(between_squares + excess, 0.0) / between_degrees
    return NoteSpread(between_sd=math.sqrt(between), within_sd=math.sqrt(within))
