"""A change of model moves nobody: an offset joins both models, or the baseline starts anew and says so."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tests.unit.days import FIRST, make_days, wander
from trends import TrendReason, TrendSettings, TrendState, judge_person

SWITCH = 80


@pytest.fixture
def levels():
    return wander(np.random.default_rng(5), 150)[0]


def switch(levels, *, overlap, by=2.0, scale=1.0):
    """Days of m-1 up to the switch and of m-2 from so many days before it on."""
    noise = 0.3 * np.random.default_rng(6).standard_normal(len(levels))
    later = make_days(
        by + scale * (levels + noise)[SWITCH - overlap :], model="m-2", first=FIRST + timedelta(SWITCH - overlap)
    )
    return make_days(levels[:SWITCH]) + later


def judge(days, *, n_days=150, **options):
    return judge_person(days, model="m-2", as_of=FIRST + timedelta(days=n_days - 1), **options)


@pytest.mark.parametrize("is_kept", [True, False])
def test_days_that_both_models_scored_carry_the_baseline_over(levels, is_kept):
    days = switch(levels, overlap=20)
    kept = judge_person(days, model="m-1", as_of=FIRST + timedelta(days=SWITCH)).baseline

    trend = judge(days, n_days=120, baseline=kept if is_kept else None)

    assert trend.state is TrendState.STABLE
    assert trend.baseline == kept
    assert (trend.offset.earlier, trend.offset.later, trend.offset.n_days) == ("m-1", "m-2", 20)
    assert trend.offset.offset == pytest.approx(2.0, abs=3 * trend.offset.error)
    assert not trend.is_restarted


def test_a_shift_is_seen_across_a_change_of_model(levels):
    levels[90:] += 2.5

    trend = judge(switch(levels, overlap=20))

    assert trend.state is TrendState.SHIFTED_UP
    assert abs(trend.shift.since - (FIRST + timedelta(days=90))) <= timedelta(days=3)


@pytest.mark.parametrize(("overlap", "scale"), [(13, 1.0), (0, 1.0), (30, 3.0)])
def test_without_an_offset_the_baseline_starts_anew_and_says_so(levels, overlap, scale):
    days = switch(levels, overlap=overlap, scale=scale)
    kept = judge_person(days, model="m-1", as_of=FIRST + timedelta(days=SWITCH)).baseline

    for baseline in (kept, None):
        soon, late = (judge(days, n_days=n_days, baseline=baseline) for n_days in (100, 150))

        assert (soon.state, soon.reason) == (TrendState.INSUFFICIENT, TrendReason.TOO_FEW_BASELINE_DAYS)
        assert soon.is_restarted
        assert soon.baseline is None
        assert late.baseline.model == "m-2"
        assert late.is_restarted


def test_an_uncertain_offset_widens_the_limits(levels):
    few, many = (
        judge_person(
            switch(levels, overlap=overlap),
            TrendSettings(overlap_days=3),
            model="m-2",
            as_of=FIRST + timedelta(days=149),
            baseline=judge_person(make_days(levels[:70]), model="m-1", as_of=FIRST + timedelta(days=70)).baseline,
        )
        for overlap in (4, 60)
    )

    assert few.offset.error > many.offset.error
    assert few.chart[-1].high - few.chart[-1].low > many.chart[-1].high - many.chart[-1].low
