r"""Mean, spread and lag-1 autocorrelation of series of days with gaps, for many persons at once.

A person's days are modelled as a stationary AR(1) process: days that are ``g`` apart correlate by ``rho ** g``, so that a gap
is a gap and nothing is filled in. With ``R`` the correlation matrix of the observed days, everything needed of it is a sum over
neighbours: for ``phi_i = rho ** gap_i``, ``J = 1' R^-1 1 = 1 + sum (1 - phi_i) / (1 + phi_i)``; the mean is that of generalised
least squares, with variance ``sd^2 / J``.

``rho`` has a normal prior. Its posterior, with the mean and the spread integrated out, is proportional to
``prior(rho) |R|^-1/2 J^-1/2 Q^-(n-1)/2``, with ``Q`` the weighted sum of squares: the restricted likelihood of Patterson and
Thompson (1971, "Recovery of inter-block information when block sizes are unequal", Biometrika 58), which has not the downward
bias of the usual estimate in short series (Marriott and Pope 1954, "Bias in the estimation of autocorrelations").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
GRID = np.linspace(-0.3, 0.95, 51)  # of rho: less is no series of days, more is no stationary one
SMALLEST_SQUARES = 1e-12  # a person whose days are all alike has a likelihood too


@dataclass(frozen=True, eq=False)
class Fit:
    """What is usual for each person; all arrays are float64 (n_persons,).

    Attributes:
        mean: of the days, by generalised least squares.
        sd: of single days, 0 or more.
        rho: autocorrelation of neighbouring days, posterior mean.
        rho_sd: standard deviation of its posterior.
        information: `J`: the mean has variance `sd ** 2 / J`.
        n_days: that were observed.
    """

    mean: Array
    sd: Array
    rho: Array
    rho_sd: Array
    information: Array
    n_days: Array

    @property
    def degrees(self) -> Array:
        """Degrees of freedom of the variance of a mean, at least 5.

        By Satterthwaite (1946, "An approximate distribution of estimates of variance components"): the relative variance of a
        long mean's variance, ``sd^2 (1 + rho) / (1 - rho)``, is set equal to that of a chi squared one. `sd` counts by the
        effective number of days ``n (1 - rho^2) / (1 + rho^2)`` (Bayley and Hammersley 1946), rho by its posterior.
        """
        square = self.rho**2
        of_sd = 2 * (1 + square) / ((1 - square) * self.n_days)
        of_rho = 4 * self.rho_sd**2 / (1 - square) ** 2
        return np.maximum(2 / (of_sd + of_rho), 5.0)


def fit_days(values: Array, *, prior_rho: float, prior_rho_sd: float) -> Fit:
    """Return what is usual for each person.

    Args:
        values: float64 (n_persons, n_days), NaN where nothing was observed; each person has at least three days.
        prior_rho: what is expected of the autocorrelation before anything is known.
        prior_rho_sd: how much persons are expected to differ in it, over 0.

    Raises:
        ValueError: a person has fewer than three days.

    Example:
        >>> days = np.array([[1.0, 3.0, np.nan, 2.0, 1.0, 3.0, 2.0]])
        >>> fit = fit_days(days, prior_rho=0.3, prior_rho_sd=0.3)
        >>> fit.mean.round(1).tolist(), fit.n_days.tolist()
        ([2.0], [6.0])
    """
    pairs = _pair_days(values)
    if (pairs.n_days < 3).any():  # noqa: PLR2004 - a mean, a spread and an autocorrelation
        raise ValueError(f"a person has {int(pairs.n_days.min())} observed days; needed are 3")
    log_posterior = np.stack([_weigh(pairs, rho) for rho in GRID], axis=1)
    log_posterior -= ((GRID - prior_rho) / prior_rho_sd) ** 2 / 2
    posterior = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    rho = posterior @ GRID
    rho_sd = np.sqrt(np.maximum(posterior @ GRID**2 - rho**2, 0.0))
    information, mean, squares, _ = _sum_up(pairs, rho[:, None])
    sd = np.sqrt(np.maximum(squares, 0.0) / (pairs.n_days - 1))
    return Fit(pairs.centre + mean, sd, rho, rho_sd, information, pairs.n_days)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Sums over pairs of neighbouring observed days, by how far apart they are: float64 (n_persons, n_gaps)."""

    centre: Array  # (n_persons,), what was taken from the days
    first: Array  # (n_persons,), each person's first observed day
    n_days: Array  # (n_persons,)
    gaps: Array  # (n_gaps,), in days
    n: Array
    now: Array
    before: Array
    now_squared: Array
    product: Array
    before_squared: Array


def _pair_days(values: Array) -> _Pairs:
    is_observed = np.isfinite(values)
    n_days = is_observed.sum(axis=1).astype(np.float64)
    # Centred, because a small sum of squares as a difference of two large ones would be inexact.
    centre = np.where(is_observed, values, 0.0).sum(axis=1) / np.maximum(n_days, 1)
    moved = np.where(is_observed, values - centre[:, None], 0.0)
    latest = np.maximum.accumulate(np.where(is_observed, np.arange(values.shape[1]), -1), axis=1)
    previous = np.concatenate([np.full((len(values), 1), -1), latest[:, :-1]], axis=1)
    before = np.take_along_axis(moved, np.maximum(previous, 0), axis=1)
    gap = np.where(is_observed & (previous >= 0), np.arange(values.shape[1]) - previous, 0)
    gaps = np.setdiff1d(gap, [0])
    first = np.take_along_axis(moved, is_observed.argmax(axis=1)[:, None], axis=1)[:, 0]

    def add_up(terms: Array) -> Array:
        sums = [np.where(gap == length, terms, 0.0).sum(axis=1) for length in gaps]
        return np.stack(sums, axis=1) if sums else np.zeros((len(values), 0))

    products = (np.ones_like(moved), moved, before, moved**2, moved * before, before**2)
    return _Pairs(centre, first, n_days, gaps.astype(np.float64), *(add_up(terms) for terms in products))


def _sum_up(pairs: _Pairs, rho: Array | float) -> tuple[Array, Array, Array, Array]:
    """Return J, the mean from the centre, Q and the logarithm of the determinant of R.

    Args:
        pairs: of the days.
        rho: one for all, or float64 (n_persons, 1).
    """
    phi = rho**pairs.gaps
    rest = 1 - phi**2
    information = 1 + (pairs.n * (1 - phi) / (1 + phi)).sum(axis=1)
    mean = (pairs.first + ((pairs.now - phi * pairs.before) / (1 + phi)).sum(axis=1)) / information
    steps = (pairs.now_squared - 2 * phi * pairs.product + phi**2 * pairs.before_squared) / rest
    squares = pairs.first**2 + steps.sum(axis=1) - mean**2 * information
    return information, mean, squares, (pairs.n * np.log(rest)).sum(axis=1)


def _weigh(pairs: _Pairs, rho: float) -> Array:
    information, _, squares, log_determinant = _sum_up(pairs, rho)
    spread = (pairs.n_days - 1) * np.log(np.maximum(squares, SMALLEST_SQUARES))
    return np.asarray(-(spread + log_determinant + np.log(information)) / 2, dtype=np.float64)
