"""One note in one measure: its level, and how the measure moves while the person speaks.

Windows count by their new speech. A last window that overlaps the one before it, because a note's speech is no multiple of the
window's length, has little that is new, and would otherwise count the same words twice.

- level: weighted mean of the windows' log odds (`measure_level`). A mean over windows does not depend on how many there are; the log odds of a mean do.
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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trends.logit import to_logit
from trends.quantiles import find_t_quantile

Array = NDArray[np.float64]
MIN_WINDOWS = 10
NOT_FELT = 1e-18  # of the variance of a window; a sum of ordinary numbers in 64 bits is not changed by it
PRIOR_RHO, PRIOR_WINDOWS = 0.3, 10.0  # of neighbouring windows' residuals, and how many windows that is worth


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
class Level:
    """What a note's windows say of a measure on the scale of log odds.

    Attributes:
        level: mean of the windows.
        spread: standard deviation of single windows; None with one window.
        n_effective: how many equally new windows tell as much, at least 1.
    """

    level: float
    spread: float | None
    n_effective: float


def measure_level(scores: Sequence[float], new_speech_ms: Sequence[int]) -> Level:
    """Return the level of a note.

    Args:
        scores: of the windows, each 0 to 1, at least one.
        new_speech_ms: of each window, over 0.

    Raises:
        ValueError: there is no window, the numbers differ, a score is not within 0 and 1, or a window has no new speech.

    Example:
        >>> note = measure_level([0.5, 0.5, 0.9], [8000, 8000, 400])
        >>> round(note.level, 3), round(note.n_effective, 2)
        (0.054, 2.1)
    """
    _check_windows(len(scores), new_speech_ms)
    weights, logits = np.array(new_speech_ms, dtype=np.float64), to_logit(scores)
    level = float(np.average(logits, weights=weights))
    return Level(
        level=level,
        spread=_find_spread(logits, weights, level) if len(scores) > 1 else None,
        n_effective=float(weights.sum() ** 2 / (weights**2).sum()),
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
    _check_windows(len(values), new_speech_ms)
    if len(minutes) != len(values):
        raise ValueError(f"{len(values)} windows have {len(minutes)} times; needed is one each")
    if list(minutes) != sorted(minutes):
        raise ValueError(f"windows are at {list(minutes)} minutes; needed is the order of time")
    scores, weights = np.array(values, dtype=np.float64), np.array(new_speech_ms, dtype=np.float64)
    n, third = len(values), max(1, len(values) // 3)
    return Movement(
        start=float(np.average(scores[:third], weights=weights[:third])),
        end=float(np.average(scores[-third:], weights=weights[-third:])),
        volatility=_find_volatility(scores, weights) if n > 1 else None,
        slope=_fit_slope(np.array(minutes, dtype=np.float64), scores, weights) if n >= MIN_WINDOWS else None,
    )


def _check_windows(n_windows: int, new_speech_ms: Sequence[int]) -> None:
    if not n_windows or n_windows != len(new_speech_ms):
        raise ValueError(
            f"{n_windows} windows have {len(new_speech_ms)} amounts of new speech; needed are one each, and one window"
        )
    if min(new_speech_ms) <= 0:
        raise ValueError(f"new speech of a window is {min(new_speech_ms)} ms; allowed is over 0")


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
    fitted = np.linalg.qr(np.column_stack([np.ones(n), centred]) / deviations[:, None])[0]
    # Residuals of a line through autocorrelated windows are too small: by what the line takes of their correlations.
    left = n - sum(float(column @ correlate_windows(column, rho)) for column in fitted.T)
    variance = float(((residuals / deviations) ** 2).sum()) / left
    pulled = pull * deviations
    error = math.sqrt(variance * float(pulled @ correlate_windows(pulled, rho)))
    # As in `trends.autocorrelation`: the residuals' spread is uncertain, and so is their autocorrelation.
    of_spread = 2 * (1 + rho**2) / ((1 - rho**2) * (n - 2))
    of_rho = 4 / ((1 - rho**2) * (n + PRIOR_WINDOWS))
    degrees = max(2 / (of_spread + of_rho), 3.0)
    reach = float(find_t_quantile(0.975, degrees)) * error
    return NoteSlope(per_min=per_min, error=error, low=per_min - reach, high=per_min + reach)


def correlate_windows(vector: Array, rho: float) -> Array:
    """Multiply by the matrix of ``rho ** abs(i - j)``, which is never made: four hours have thousands of windows.

    Args:
        vector: of the windows, (n,).
        rho: correlation of neighbours, 0 to 0.9.

    Example:
        >>> correlate_windows(np.array([1.0, 0.0, 2.0]), 0.5)
        array([1.5 , 1.5 , 2.25])
    """
    n = len(vector)
    n_near = n - 1 if rho**n > NOT_FELT else math.ceil(math.log(NOT_FELT) / math.log(rho)) if rho else 0
    kernel = rho ** np.abs(np.arange(-n_near, n_near + 1)).astype(np.float64)
    return np.convolve(vector, kernel)[n_near : n_near + n]


def _shrink_autocorrelation(residuals: Array, n: int) -> float:
    squares = float((residuals**2).sum())
    if squares == 0:
        return PRIOR_RHO
    measured = float((residuals[1:] * residuals[:-1]).sum()) / squares
    unbiased = measured + (2 + 4 * measured) / n  # a line was fitted, not only a mean
    shrunk = (n * unbiased + PRIOR_WINDOWS * PRIOR_RHO) / (n + PRIOR_WINDOWS)
    return min(max(shrunk, 0.0), 0.9)
