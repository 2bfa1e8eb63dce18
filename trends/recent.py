"""The recent level of persons against their own baselines: difference, interval, size; for many persons at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trends.autocorrelation import Fit
from trends.quantiles import find_t_quantile

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recent:
    """Recent levels; arrays are float64 (n_persons,), NaN where no day was observed.

    Attributes:
        difference: mean of the recent days less the baseline's mean.
        error: its standard error.
        low: lower end of its interval.
        high: upper end of its interval.
    """

    difference: Array
    error: Array
    low: Array
    high: Array


def measure_recent(
    values: Array,
    fit: Fit,
    *,
    n_days_before: int,
    confidence: float,
    extra_variance: Array | None = None,
    offset_share: Array | None = None,
    offset_error: Array | None = None,
) -> Recent:
    """Return the mean of recent days against the baseline.

    The variance of the difference is that of a mean of autocorrelated days, plus that of the baseline's mean, less twice their
    covariance; the interval takes Student's t with the baseline's degrees of freedom.

    Args:
        values: of the recent calendar days, float64 (n_persons, n_days), NaN where nothing was observed.
        fit: the baselines, `sd` over 0.
        n_days_before: calendar days between the baseline's last day and the first column, 1 if that is the next day.
        confidence: of the interval, over 0 and under 1.
        extra_variance: of each day beyond that of the baseline's days, 0 or more.
        offset_share: 1 on days whose value was moved from another model's scale, otherwise 0.
        offset_error: standard error of that move, float64 (n_persons,).
    """
    is_observed = np.isfinite(values)
    n = is_observed.sum(axis=1)
    weights = is_observed / np.where(n > 0, n, np.nan)[:, None]
    days = np.arange(values.shape[1])
    lags = np.abs(days[:, None] - days[None, :])
    correlations = fit.rho[:, None, None] ** lags
    squares = np.einsum("pi,pij,pj->p", weights, correlations, weights) + 1 / fit.information
    with_baseline = fit.rho[:, None] ** (days + n_days_before) / fit.information[:, None]
    squares -= 2 * (weights * with_baseline).sum(axis=1)
    variance = squares * fit.sd**2
    if extra_variance is not None:
        variance += (weights**2 * np.where(is_observed, extra_variance, 0.0)).sum(axis=1)
    if offset_share is not None and offset_error is not None:
        variance += ((weights * offset_share).sum(axis=1) * offset_error) ** 2
    difference = (weights * np.where(is_observed, values, 0.0)).sum(axis=1) - fit.mean
    error = np.sqrt(variance)
    reach = find_t_quantile((1 + confidence) / 2, fit.degrees) * error
    return Recent(difference, error, difference - reach, difference + reach)


def count_recent(is_observed: NDArray[np.bool_], n_days: int) -> NDArray[np.int64]:
    """Return how many of the last calendar days were observed, on each of them, int64 (n_persons, n_days).

    Example:
        >>> count_recent(np.array([[True, True, False, False]]), 2).tolist()
        [[1, 2, 1, 0]]
    """
    totals = np.cumsum(is_observed, axis=1)
    past = np.zeros_like(totals)
    past[:, n_days:] = totals[:, :-n_days] if n_days < totals.shape[1] else totals[:, :0]
    return np.asarray(totals - past, dtype=np.int64)
