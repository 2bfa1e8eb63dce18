"""One note in one measure: its level, and how the measure moves while the person speaks.

Windows count by their new speech. A last window that overlaps the one before it, because a note's speech is no multiple of the
window's length, has little that is new, and would otherwise count the same words twice.

- level: weighted mean of the windows' log odds. A mean over windows does not depend on how many there are; the log odds of a mean do.
- start and end: weighted mean over the first and the last third of the windows, at least one each.
- volatility: mean absolute difference of neighbouring windows (Jahng, Wood and Trull 2008, "Analysis of affective instability in
  ecological momentary assessment", on successive differences), weighted by the less new of both.
- slope: weighted least squares on the middle of each window. Under ten windows there is none: over less than a minute and a half the
  slope of a score that lies between 0 and 1 is noise that is multiplied to a minute. Its standard error knows that neighbouring windows
  resemble each other: the residuals' autocorrelation, corrected for its bias in short series (Marriott and Pope 1954) and shrunk towards
  `PRIOR_RHO`, makes the variance of independent windows larger, by ``c' R c / c' c`` with c the weighted centred times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trends.logit import to_logit
from trends.quantiles import find_t_quantile

Array = NDArray[np.float64]
MIN_WINDOWS = 10
PRIOR_RHO, PRIOR_WINDOWS = 0.3, 10.0  # of neighbouring windows' residuals, and how many windows that is worth
MS_PER_MIN = 60_000


@dataclass(frozen=True, kw_only=True)
class WindowScore:
    """One window of a note in one measure.

    Attributes:
        start_ms: on the clock of the original file.
        end_ms: just after it.
        new_speech_ms: how much of its speech no earlier window covers, over 0.
        score: 0 to 1.

    Raises:
        ValueError: a value is not allowed.
    """

    start_ms: int
    end_ms: int
    new_speech_ms: int
    score: float

    def __post_init__(self) -> None:
        """Check once, so that no arithmetic has to."""
        if not 0 <= self.start_ms < self.end_ms:
            raise ValueError(f"window is {self.start_ms} to {self.end_ms} ms; needed is 0 <= start < end")
        if self.new_speech_ms <= 0:
            raise ValueError(f"new speech of a window is {self.new_speech_ms} ms; allowed is over 0")
        if not 0 <= self.score <= 1:
            raise ValueError(f"score of a window is {self.score}; allowed is 0 to 1")


@dataclass(frozen=True, kw_only=True)
class NoteSlope:
    """How a measure moves through a note.

    Attributes:
        per_min: change of the score a minute of the recording.
        error: its standard error.
        low: lower end of its interval of 95 %.
        high: upper end of it.
    """

    per_min: float
    error: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Movement:
    """How a measure moves through a note, on the measure's own scale.

    Attributes:
        start: mean of the first third of the windows.
        end: mean of the last third.
        volatility: mean step from one window to the next; None with one window.
        slope: None with fewer than ten windows.
    """

    start: float
    end: float
    volatility: float | None
    slope: NoteSlope | None


@dataclass(frozen=True, kw_only=True)
class WithinNote:
    """One note in one measure.

    Attributes:
        level: mean of the windows, log odds.
        spread: standard deviation of single windows, log odds; None with one window.
        n_windows: how many there are.
        n_effective: how many equally new windows tell as much, 1 to `n_windows`.
        movement: of the scores.
    """

    level: float
    spread: float | None
    n_windows: int
    n_effective: float
    movement: Movement

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


def describe_note(windows: Sequence[WindowScore]) -> WithinNote:
    """Describe one note.

    Args:
        windows: of the note, in order of time, at least one.

    Raises:
        ValueError: there is no window, or they are not in order of time.

    Example:
        >>> windows = [WindowScore(start_ms=t * 8000, end_ms=t * 8000 + 8000, new_speech_ms=8000, score=0.1 + t / 50) for t in range(12)]
        >>> note = describe_note(windows)
        >>> round(note.movement.slope.per_min, 6), round(note.movement.start, 6), round(note.movement.end, 6)
        (0.15, 0.13, 0.29)
    """
    if not windows:
        raise ValueError("a note has 0 windows; needed is one")
    weights = np.array([float(window.new_speech_ms) for window in windows])
    logits = to_logit([window.score for window in windows])
    level = float(np.average(logits, weights=weights))
    return WithinNote(
        level=level,
        spread=_find_spread(logits, weights, level) if len(windows) > 1 else None,
        n_windows=len(windows),
        n_effective=float(weights.sum() ** 2 / (weights**2).sum()),
        movement=describe_movement(
            [(window.start_ms + window.end_ms) / 2 / MS_PER_MIN for window in windows],
            [window.score for window in windows],
            [window.new_speech_ms for window in windows],
        ),
    )


def describe_movement(minutes: Sequence[float], values: Sequence[float], new_speech_ms: Sequence[int]) -> Movement:
    """Describe how any measure moves through a note.

    Args:
        minutes: the middle of each window on the recording's clock, in order, at least one.
        values: of the windows, on any scale.
        new_speech_ms: of each window, over 0.

    Raises:
        ValueError: the windows are not in order, their numbers differ, or one has no new speech.

    Example:
        >>> movement = describe_movement([0.5, 1.0, 1.5], [0.1, 0.2, 0.4], [8000] * 3)
        >>> round(movement.volatility, 3), movement.slope
        (0.15, None)
    """
    if not minutes or not len(minutes) == len(values) == len(new_speech_ms):
        raise ValueError(
            f"{len(minutes)} times, {len(values)} values and {len(new_speech_ms)} weights of windows; each has all"
        )
    if list(minutes) != sorted(minutes):
        raise ValueError(f"windows are at {list(minutes)} minutes; needed is the order of time")
    if min(new_speech_ms) <= 0:
        raise ValueError(f"new speech of a window is {min(new_speech_ms)} ms; allowed is over 0")
    scores, weights = np.array(values, dtype=np.float64), np.array(new_speech_ms, dtype=np.float64)
    n, third = len(values), max(1, len(values) // 3)
    return Movement(
        start=float(np.average(scores[:third], weights=weights[:third])),
        end=float(np.average(scores[-third:], weights=weights[-third:])),
        volatility=_find_volatility(scores, weights) if n > 1 else None,
        slope=_fit_slope(np.array(minutes, dtype=np.float64), scores, weights) if n >= MIN_WINDOWS else None,
    )


def _find_spread(logits: Array, weights: Array, level: float) -> float:
    """Return the standard deviation of a single window, unbiased in its square."""
    shares = weights / weights.sum()
    return math.sqrt(float((shares * (logits - level) ** 2).sum()) / (1 - float((shares**2).sum())))


def _find_volatility(scores: Array, weights: Array) -> float:
    return float(np.average(np.abs(np.diff(scores)), weights=np.minimum(weights[1:], weights[:-1])))


def _fit_slope(minutes: Array, scores: Array, weights: Array) -> NoteSlope | None:
    centred = minutes - np.average(minutes, weights=weights)
    times = float((weights * centred**2).sum())
    if times == 0:
        return None
    pull = weights * centred / times
    per_min = float(pull @ scores)
    residuals = scores - np.average(scores, weights=weights) - per_min * centred
    n = len(scores)
    # In units in which every window has the variance of one of mean weight.
    deviations = np.sqrt(weights.mean() / weights)
    rho = _shrink_autocorrelation(residuals / deviations, n)
    steps = np.arange(n)
    correlations = rho ** np.abs(steps[:, None] - steps[None, :])
    fitted = np.linalg.qr(np.column_stack([np.ones(n), centred]) / deviations[:, None])[0]
    # Residuals of a line through autocorrelated windows are too small: by what the line takes of their correlations.
    left = n - float(np.einsum("ik,ij,jk->", fitted, correlations, fitted))
    variance = float(((residuals / deviations) ** 2).sum()) / left
    pulled = pull * deviations
    error = math.sqrt(variance * float(pulled @ correlations @ pulled))
    # As in `trends.autocorrelation`: the residuals' spread is uncertain, and so is their autocorrelation.
    of_spread = 2 * (1 + rho**2) / ((1 - rho**2) * (n - 2))
    of_rho = 4 / ((1 - rho**2) * (n + PRIOR_WINDOWS))
    degrees = max(2 / (of_spread + of_rho), 3.0)
    reach = float(find_t_quantile(0.975, degrees)) * error
    return NoteSlope(per_min=per_min, error=error, low=per_min - reach, high=per_min + reach)


def _shrink_autocorrelation(residuals: Array, n: int) -> float:
    squares = float((residuals**2).sum())
    if squares == 0:
        return PRIOR_RHO
    measured = float((residuals[1:] * residuals[:-1]).sum()) / squares
    unbiased = measured + (2 + 4 * measured) / n  # a line was fitted, not only a mean
    shrunk = (n * unbiased + PRIOR_WINDOWS * PRIOR_RHO) / (n + PRIOR_WINDOWS)
    return min(max(shrunk, 0.0), 0.9)
