"""A quick slice of `make simulate`: false alarms, intervals and power of the product, and that a textbook chart fails them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from benchmarks.trend_people import FIRST, judge_whole, make_days, wander, watch, watch_by_the_textbook
from trends import TrendSettings
from trends.autocorrelation import fit_days
from trends.chart import draw_chart

SETTINGS = TrendSettings()
N_PEOPLE, MONITORED = 1200, 90


def draw(n_baseline, *, rho, n_people=N_PEOPLE):
    return wander(np.random.default_rng([3, n_baseline, round(10 * rho)]), n_people, n_baseline + MONITORED, rho=rho)


@pytest.mark.parametrize("n_baseline", [60, 90])
@pytest.mark.parametrize(("rho", "most"), [(0.0, 0.05), (0.3, 0.05), (0.5, 0.08)])
def test_few_who_stay_the_same_are_ever_flagged_and_intervals_cover(n_baseline, rho, most):
    outcome = watch(draw(n_baseline, rho=rho), n_baseline, SETTINGS)

    assert 0 < outcome.share_ever() <= most
    assert 0.93 <= outcome.coverage <= 0.97


def test_a_shift_of_eight_tenths_of_a_standard_deviation_is_seen_in_time():
    days = draw(90, rho=0.3)
    days[:, 90:] += 0.8

    outcome = watch(days, 90, SETTINGS, shift=0.8)

    assert outcome.share_ever(28) >= 0.35
    assert outcome.share_ever(45) >= 0.6
    assert 0.93 <= outcome.coverage <= 0.97


@pytest.mark.parametrize(("rho", "flagged", "covered"), [(0.3, 0.7, 0.86), (0.5, 0.85, 0.8)])
def test_a_textbook_chart_breaks_these_promises(rho, flagged, covered):
    outcome = watch_by_the_textbook(draw(28, rho=rho))

    assert outcome.share_ever() > flagged
    assert outcome.coverage < covered


def test_persons_who_differ_in_how_often_they_speak_keep_the_promise():
    days = draw(90, rho=0.3)
    days[:, 90:][np.random.default_rng(4).random((N_PEOPLE, MONITORED)) < 0.5] = np.nan

    assert 0 < watch(days, 90, SETTINGS).share_ever() <= 0.05


def test_more_measures_share_the_false_alarms():
    several = TrendSettings(n_measures=4)
    flagged = np.any(
        [
            watch(wander(np.random.default_rng(seed), N_PEOPLE, 180, rho=0.3), 90, several).is_flagged
            for seed in range(4)
        ],
        axis=0,
    )

    assert flagged.any(axis=1).mean() <= 0.065


def test_the_front_door_draws_the_chart_that_was_simulated():
    levels = wander(np.random.default_rng(9), 1, 60 + MONITORED, rho=0.3)

    trend = judge_whole(make_days(levels[0]), 60 + MONITORED, SETTINGS)

    fit = fit_days(levels[:, :60], prior_rho=SETTINGS.prior_rho, prior_rho_sd=SETTINGS.prior_rho_sd)
    chart = draw_chart(levels[:, 60:], fit, SETTINGS)
    assert trend.baseline.last_day == FIRST + timedelta(days=59)
    assert [point.average for point in trend.chart] == pytest.approx(list(fit.mean + fit.sd * chart.level[0]))
    assert [point.high for point in trend.chart] == pytest.approx(
        list(fit.mean + fit.sd * chart.limit * chart.error[0])
    )


def test_the_error_of_the_chart_is_what_charts_scatter_by():
    days = wander(np.random.default_rng(10), 6000, 200, rho=0.5)
    days[:, 100::3] = np.nan
    fit = fit_days(days[:, :60], prior_rho=0.5, prior_rho_sd=0.01)

    chart = draw_chart(days[:, 60:], fit, TrendSettings(clip_sd=100.0))

    for column in (0, 4, 30, 80, 139):
        assert np.std(chart.level[:, column] * fit.sd) == pytest.approx(np.mean(chart.error[:, column]), rel=0.06)
