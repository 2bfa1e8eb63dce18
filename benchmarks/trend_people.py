"""Simulated persons for the promises of `trends`, and what becomes of them: by the product's arithmetic, and by a textbook chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from trends import (
    Day,
    NoteLevel,
    NoteSpread,
    NoteState,
    PersonTrend,
    TrendSettings,
    judge_person,
    measure_note_spread,
    summarise_day,
)
from trends.autocorrelation import fit_days
from trends.chart import draw_chart
from trends.recent import count_recent, measure_recent

Array = NDArray[np.float64]
FIRST = date(2026, 1, 1)
TEXTBOOK_DAYS, TEXTBOOK_FORGETTING, TEXTBOOK_LIMIT = (
    28,
    0.2,
    2.86,
)  # Lucas and Saccucci 1990: a false alarm in 370 looks


@dataclass(frozen=True)
class Outcome:
    """What became of simulated persons.

    Attributes:
        is_flagged: on each monitored day, bool (n_people, n_days).
        covers: whether the interval of the last 14 days covers what is true, bool (n_people,).
    """

    is_flagged: NDArray[np.bool_]
    covers: NDArray[np.bool_]

    def share_ever(self, n_days: int | None = None) -> float:
        """Return the share of persons that were flagged on any of the first days."""
        return float(self.is_flagged[:, :n_days].any(axis=1).mean())

    @property
    def coverage(self) -> float:
        """Return the share of intervals that cover what is true."""
        return float(self.covers.mean())


def wander(rng: np.random.Generator, n_people: int, n_days: int, *, rho: float, tails: float = np.inf) -> Array:
    """Return stationary AR(1) days of mean 0 and standard deviation 1, (n_people, n_days).

    Args:
        rng: of random numbers.
        n_people: rows.
        n_days: columns.
        rho: autocorrelation of neighbouring days.
        tails: degrees of freedom of Student's t, over 2, that the steps have in place of the normal distribution.
    """
    steps = rng.standard_normal((n_people, n_days))
    if np.isfinite(tails):
        steps = rng.standard_t(tails, (n_people, n_days + 100)) * np.sqrt((tails - 2) / tails)
    values = steps.copy()
    for day in range(1, steps.shape[1]):
        values[:, day] = rho * values[:, day - 1] + np.sqrt(1 - rho**2) * steps[:, day]
    return values[:, -n_days:]


def watch(days: Array, n_baseline: int, settings: TrendSettings, *, shift: float = 0.0) -> Outcome:
    """Watch persons by the product's arithmetic.

    Args:
        days: (n_people, n_days), the baseline's first; no gaps in the baseline.
        n_baseline: days of the baseline.
        settings: of the product.
        shift: that is in the days of the last fortnight.
    """
    fit = fit_days(days[:, :n_baseline], prior_rho=settings.prior_rho, prior_rho_sd=settings.prior_rho_sd)
    after = days[:, n_baseline:]
    enough = count_recent(np.isfinite(after), settings.recent_days) >= settings.recent_min_days
    n_recent = settings.recent_days
    recent = measure_recent(
        after[:, -n_recent:], fit, n_days_before=after.shape[1] - n_recent + 1, confidence=settings.confidence
    )
    covers = (recent.low <= shift) & (shift <= recent.high)
    return Outcome(draw_chart(after, fit, settings).is_beyond & enough, covers)


def watch_by_the_textbook(days: Array, n_baseline: int = TEXTBOOK_DAYS) -> Outcome:
    """Watch persons by an EWMA chart as textbooks have it: independent days, a baseline without error; a naive interval too."""
    before, after = days[:, :n_baseline], days[:, n_baseline:]
    mean, sd = before.mean(axis=1), before.std(axis=1, ddof=1)
    keep, level = 1 - TEXTBOOK_FORGETTING, mean.copy()
    is_flagged = np.zeros(after.shape, dtype=bool)
    for day in range(after.shape[1]):
        level = keep * level + TEXTBOOK_FORGETTING * after[:, day]
        share = TEXTBOOK_FORGETTING / (2 - TEXTBOOK_FORGETTING) * (1 - keep ** (2 * day + 2))
        is_flagged[:, day] = np.abs(level - mean) > TEXTBOOK_LIMIT * sd * np.sqrt(share)
    recent = after[:, -14:]
    reach = 1.96 * np.sqrt(recent.var(axis=1, ddof=1) / recent.shape[1] + sd**2 / n_baseline)
    return Outcome(is_flagged, np.abs(recent.mean(axis=1) - mean) <= reach)


def make_days(
    levels: Array, *, model: str = "m-1", first: int = 0, n_windows: Array | None = None, spreads: Array | None = None
) -> list[Day]:
    """Return a person's days by the product's own summary, one note each; NaN is a day without a note.

    Args:
        levels: of the days' notes, log odds.
        model: that scored them.
        first: place of the first day on the calendar.
        n_windows: of each note; 5 by default.
        spreads: between the windows of each note; what is usual by default.
    """
    windows = np.full(len(levels), 5.0) if n_windows is None else n_windows
    within = np.full(len(levels), NoteSpread().within_sd) if spreads is None else spreads
    notes = {
        FIRST + timedelta(days=first + place): NoteLevel(
            state=NoteState.SCORED, level=float(level), spread=float(sd), n_windows=float(n), speech_s=float(n) * 8
        )
        for place, (level, n, sd) in enumerate(zip(levels, windows, within, strict=True))
        if np.isfinite(level)
    }
    spread = measure_note_spread([[note] for note in notes.values()])
    return [summarise_day(day, model, [note], spread=spread) for day, note in notes.items()]


def judge_whole(days: list[Day], n_days: int, settings: TrendSettings, *, model: str = "m-1") -> PersonTrend:
    """Judge a person on the last day by the product's front door."""
    return judge_person(days, settings, model=model, as_of=FIRST + timedelta(days=n_days - 1))


def was_flagged(trend: PersonTrend, settings: TrendSettings) -> bool:
    """Return whether the state of a person was ever a shift, had somebody asked on every day of the chart."""
    at = [point.day for point in trend.chart]
    for place, point in enumerate(trend.chart):
        recent = sum(point.day - day < timedelta(days=settings.recent_days) for day in at[: place + 1])
        if not point.low <= point.average <= point.high and recent >= settings.recent_min_days:
            return True
    return False
