"""The slope of a person's days over a period: Theil and Sen's median of pairwise slopes, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

DAYS_PER_MONTH = 30


@dataclass(frozen=True, kw_only=True)
class Slope:
    """How days moved over a period.

    Attributes:
        per_month: change in 30 days, log odds.
        low: lower end of its interval.
        high: upper end of its interval.
        n_days: observed days behind it.
        span_days: calendar days from the first to the last of them.
    """

    per_month: float
    low: float
    high: float
    n_days: int
    span_days: int


def fit_slope(days: Sequence[int], levels: Sequence[float], *, rho: float, confidence: float) -> Slope:
    """Return the slope of days.

    The estimate is the median of the slopes of all pairs of days (Theil 1950; Sen 1968, "Estimates of the regression coefficient
    based on Kendall's tau", Journal of the American Statistical Association 63), which a few odd days hardly move. Sen's interval takes
    the variance of Kendall's S for independent days. Here it is made larger, in the spirit of Hamed and Rao (1998, "A modified
    Mann-Kendall trend test for autocorrelated data"), by the factor by which autocorrelation makes the variance of a least-squares slope on
    these very days larger: ``c' R c / c' c`` with c the centred days and ``R_ij = rho ** |day_i - day_j|``.

    Args:
        days: of each level, whole numbers, each once.
        levels: log odds, as many.
        rho: autocorrelation of neighbouring days.
        confidence: of the interval, over 0 and under 1.

    Raises:
        ValueError: there are fewer than three days, or one is twice.

    Example:
        >>> rising = fit_slope(range(30), [day / 30 for day in range(30)], rho=0.3, confidence=0.95)
        >>> round(rising.per_month, 6), rising.span_days
        (1.0, 30)
    """
    order = np.argsort(days, kind="stable")
    at = np.asarray(days, dtype=np.float64)[order]
    values = np.asarray(levels, dtype=np.float64)[order]
    n = len(at)
    if n < 3 or (np.diff(at) == 0).any():  # noqa: PLR2004 - two days have a slope and no interval
        raise ValueError(f"days are {list(days)}; needed are at least three, each once")
    later, earlier = np.tril_indices(n, -1)
    slopes = np.sort((values[later] - values[earlier]) / (at[later] - at[earlier]))
    centred = at - at.mean()
    correlations = rho ** np.abs(at[:, None] - at[None, :])
    factor = float(centred @ correlations @ centred / (centred @ centred))
    variance = n * (n - 1) * (2 * n + 5) / 18 * factor
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance) / len(slopes) / 2
    low, middle, high = np.quantile(slopes, [max(0.5 - reach, 0.0), 0.5, min(0.5 + reach, 1.0)]) * DAYS_PER_MONTH
    return Slope(per_month=float(middle), low=float(low), high=float(high), n_days=n, span_days=int(at[-1] - at[0]) + 1)
