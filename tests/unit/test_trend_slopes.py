"""A slope over days is robust, its interval knows autocorrelation and gaps, and the arithmetic below agrees with simpler ways."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.days import wander
from trends.autocorrelation import fit_days
from trends.quantiles import find_t_quantile
from trends.recent import measure_recent
from trends.slope import fit_slope


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("step", [1, 3])
def test_intervals_of_slopes_cover_what_is_true(rho, step):
    people = wander(np.random.default_rng(7), 40 * step, n_people=400, rho=rho)[:, ::step]
    at = list(range(0, 40 * step, step))

    slopes = [fit_slope(at, person + 0.01 * np.array(at), rho=rho, confidence=0.95) for person in people]

    assert 0.925 <= np.mean([slope.low <= 0.3 <= slope.high for slope in slopes]) <= 0.985


def test_a_few_odd_days_hardly_move_a_slope():
    levels = [day * 0.1 for day in range(30)]
    odd = [50.0 if day in {3, 17, 28} else level for day, level in enumerate(levels)]

    assert fit_slope(range(30), odd, rho=0.0, confidence=0.95).per_month == pytest.approx(3.0, rel=0.1)


def test_a_day_that_is_there_twice_has_no_slope():
    with pytest.raises(ValueError, match="each once"):
        fit_slope([1, 2, 2], [0.0, 1.0, 2.0], rho=0.0, confidence=0.95)


def test_the_fit_is_that_of_generalised_least_squares_written_out():
    rng = np.random.default_rng(8)
    row = wander(rng, 40, rho=0.5)
    row[0, [0, 5, 6, 7, 20, 39]] = np.nan
    at = np.flatnonzero(np.isfinite(row[0]))

    fit = fit_days(row, prior_rho=0.3, prior_rho_sd=0.3)

    correlations = fit.rho[0] ** np.abs(at[:, None] - at[None, :])
    ones = np.ones(len(at))
    information = ones @ np.linalg.solve(correlations, ones)
    mean = ones @ np.linalg.solve(correlations, row[0, at]) / information
    rest = row[0, at] - mean
    assert fit.information[0] == pytest.approx(information)
    assert fit.mean[0] == pytest.approx(mean)
    assert fit.sd[0] ** 2 == pytest.approx(rest @ np.linalg.solve(correlations, rest) / (len(at) - 1))


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5])
def test_autocorrelation_and_spread_of_short_series_are_not_biased_much(rho):
    fit = fit_days(wander(np.random.default_rng(9), 60, n_people=1500, rho=rho), prior_rho=0.3, prior_rho_sd=0.3)

    assert fit.rho.mean() == pytest.approx(rho, abs=0.06)
    assert fit.sd.mean() == pytest.approx(1.0, abs=0.03)


def test_the_fit_needs_three_days():
    with pytest.raises(ValueError, match="has 2 observed days"):
        fit_days(np.array([[1.0, np.nan, 2.0]]), prior_rho=0.3, prior_rho_sd=0.3)


def test_nothing_recent_is_no_number():
    fit = fit_days(wander(np.random.default_rng(9), 60), prior_rho=0.3, prior_rho_sd=0.3)

    recent = measure_recent(np.full((1, 14), np.nan), fit, n_days_before=1, confidence=0.95)

    assert np.isnan([recent.difference[0], recent.low[0], recent.high[0]]).all()


@pytest.mark.parametrize(("degrees", "exact"), [(5, 2.5706), (10, 2.2281), (30, 2.0423), (np.inf, 1.9600)])
def test_quantiles_of_t_are_those_of_the_tables(degrees, exact):
    assert float(find_t_quantile(0.975, degrees)) == pytest.approx(exact, rel=2e-3)
