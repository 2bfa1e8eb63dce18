"""A person is judged by the person's own past, by enough of it, and by nothing that is not a shift."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.days import FIRST, make_days, wander
from trends import (
    PersonTrend,
    TrendReason,
    TrendSettings,
    TrendState,
    freeze_day_baseline,
    judge_person,
    read_day_baseline,
)

LAST = FIRST + timedelta(days=149)


def judge(days, *, as_of=LAST, model="m-1", **options):
    return judge_person(days, model=model, as_of=as_of, **options)


@pytest.fixture
def levels():
    return 0.7 * wander(np.random.default_rng(11), 150)[0] - 1.0


def test_a_person_who_stays_the_same_is_stable(levels):
    trend = judge(make_days(levels))

    assert (trend.state, trend.reason) == (TrendState.STABLE, TrendReason.WITHIN_LIMITS)
    assert trend.shift is None
    assert trend.recent.low < trend.recent.difference < trend.recent.high


@pytest.mark.parametrize(("by", "state"), [(2.0, TrendState.SHIFTED_UP), (-2.0, TrendState.SHIFTED_DOWN)])
def test_a_large_shift_is_seen_with_its_direction_and_first_day(levels, by, state):
    began = FIRST + timedelta(days=110)
    levels[110:] += by

    trend = judge(make_days(levels))

    assert trend.state is state
    assert abs(trend.shift.since - began) <= timedelta(days=3)
    assert began <= trend.shift.flagged_on <= began + timedelta(days=21)
    assert abs(trend.shift.average) > trend.shift.limit * trend.shift.error
    assert np.sign(trend.recent.effect_size) == np.sign(by)


def test_a_shift_that_is_over_leaves_the_state(levels):
    quiet = np.concatenate([levels, 0.7 * wander(np.random.default_rng(12), 100)[0] - 1.0])
    quiet[100:120] += 2.0
    days = make_days(quiet)

    states = [judge(days, as_of=FIRST + timedelta(days=day)).state for day in (95, 119, 249)]

    assert states == [TrendState.STABLE, TrendState.SHIFTED_UP, TrendState.STABLE]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n_scored": 1, "speech_s": 5.0}, TrendReason.TOO_LITTLE_BASELINE_SPEECH),
        ({"n_scored": 0}, TrendReason.TOO_FEW_BASELINE_NOTES),
    ],
)
def test_too_little_in_a_baseline_gives_no_number(levels, change, reason):
    trend = judge(make_days(levels[:100], **change), as_of=LAST)

    assert (trend.state, trend.reason) == (TrendState.INSUFFICIENT, reason)
    assert (trend.baseline, trend.recent, trend.shift, trend.slope, trend.variation, trend.chart) == (None,) * 5 + ((),)


def test_with_59_days_there_is_no_baseline_and_with_60_there_is(levels):
    few, enough = (judge(make_days(levels[:n_days]), as_of=FIRST + timedelta(days=n_days - 1)) for n_days in (59, 60))

    assert (few.reason, few.baseline, few.evidence.baseline.days) == (TrendReason.TOO_FEW_BASELINE_DAYS, None, 59)
    assert (enough.reason, enough.baseline.n_days) == (TrendReason.TOO_FEW_RECENT_DAYS, 60)


def test_who_said_nothing_lately_is_not_judged(levels):
    trend = judge(make_days(levels), as_of=LAST + timedelta(days=10))

    assert (trend.state, trend.reason) == (TrendState.INSUFFICIENT, TrendReason.TOO_FEW_RECENT_DAYS)
    assert trend.evidence.recent.days == 4
    assert trend.recent is None


def test_days_too_far_apart_are_no_baseline():
    sparse = np.full(700, np.nan)
    sparse[::10] = 0.0

    trend = judge(make_days(sparse), as_of=FIRST + timedelta(days=699))

    assert trend.reason is TrendReason.BASELINE_DAYS_TOO_FAR_APART
    assert trend.evidence.baseline.days == 70


def test_a_baseline_that_was_kept_is_not_written_anew(levels):
    kept = judge(make_days(levels)).baseline
    # Sixty notes of before that were registered late: without the kept baseline they would be the new one.
    late = make_days(levels[:60] + 3.0, first=FIRST - timedelta(days=60))

    with_kept, without = (judge(late + make_days(levels), baseline=baseline) for baseline in (kept, None))

    assert with_kept.baseline == kept
    assert with_kept.state is TrendState.STABLE
    assert without.baseline.mean > kept.mean + 2


def test_later_days_change_no_baseline(levels):
    assert freeze_day_baseline(make_days(levels[:70]), TrendSettings()) == freeze_day_baseline(
        make_days(levels), TrendSettings()
    )


def test_a_baseline_is_kept_as_json_and_read_again(levels):
    baseline = judge(make_days(levels)).baseline

    assert read_day_baseline(json.loads(json.dumps(baseline.as_dict()))) == baseline


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sd": 0.0}, "sd"),
        ({"method_version": 7}, "version 7"),
        ({"mean": "high"}, "mean is 'high'"),
        ({"surprise": 1}, "keys"),
        ({"n_days": 60.5}, "n_days is 60.5"),
    ],
)
def test_a_baseline_that_is_none_is_refused(levels, change, message):
    raw = judge(make_days(levels)).baseline.as_dict() | change

    with pytest.raises(ValueError, match=message):
        read_day_baseline(raw)


def test_a_day_that_is_there_twice_is_refused(levels):
    days = make_days(levels)

    with pytest.raises(ValueError, match=f"day {FIRST} of model m-1 is there twice"):
        judge([*days, days[0]])


def test_everything_is_plain_json(levels):
    levels[110:] += 2.0

    plain = judge(make_days(levels)).as_dict()

    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["state"] == "shifted_up"


@settings(max_examples=25, deadline=None)
@given(by=st.floats(-3, 3), seed=st.integers(0, 1000))
def test_what_a_person_sounds_like_on_the_whole_changes_nothing(by, seed):
    levels = wander(np.random.default_rng(seed), 120)[0]
    as_of = FIRST + timedelta(days=119)

    here, there = (judge(make_days(levels + offset), as_of=as_of) for offset in (0.0, by))

    assert here.state is there.state
    assert here.recent.difference == pytest.approx(there.recent.difference, abs=1e-9)
    assert there.baseline.mean - here.baseline.mean == pytest.approx(by, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), random=st.randoms(use_true_random=False))
def test_the_order_of_days_and_days_without_a_level_change_nothing(seed, random):
    days = make_days(wander(np.random.default_rng(seed), 120)[0])
    silent = [replace(day, level=None, error=None, n_scored=0) for day in make_days([0.0] * 3, model="m-0")]
    shuffled = [*days, *silent]
    random.shuffle(shuffled)

    assert judge(shuffled) == judge(days)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), gone=st.sets(st.integers(0, 139), max_size=40))
def test_a_gap_is_a_gap_and_not_a_value(seed, gone):
    levels = wander(np.random.default_rng(seed), 150)[0]
    levels[list(gone)] = np.nan

    trend = judge(make_days(levels))

    assert [point.level for point in trend.chart] == [
        level
        for day, level in zip(make_days(levels), levels, strict=True)
        if day.day > trend.baseline.last_day and not np.isnan(level)
    ]
    assert judge([day for day in make_days(levels) if day.level is not None]) == trend


@pytest.mark.parametrize("where", [range(100, 130), range(62, 150, 2), range(60, 62)])
def test_after_gaps_limits_are_wider_and_nobody_is_flagged_for_them(levels, where):
    levels[list(where)] = np.nan

    assert judge(make_days(levels), as_of=LAST).state is not TrendState.SHIFTED_UP
    assert judge(make_days(levels), as_of=LAST).shift is None


def test_one_odd_day_is_no_shift(levels):
    levels[145] += 50.0

    trend = judge(make_days(levels))

    assert trend.state is TrendState.STABLE


@pytest.mark.parametrize(
    ("name", "value"),
    [("baseline_days", 28), ("confidence", 1.0), ("forgetting", 0.0), ("recent_min_days", 20), ("n_measures", 0)],
)
def test_a_setting_that_is_not_allowed_is_refused_with_its_value(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}; allowed"):
        TrendSettings(**{name: value})


def test_a_person_whose_days_are_all_alike_is_stable_and_has_no_endless_numbers():
    trend = judge(make_days([-4.6] * 150))

    assert trend.state is TrendState.STABLE
    assert trend.baseline.sd == TrendSettings().smallest_sd
    json.dumps(trend.as_dict(), allow_nan=False)


def test_the_page_names_what_an_answer_has():
    page = (Path(__file__).parents[2] / "docs" / "trends.md").read_text(encoding="utf-8")
    table = page.split("| field | how to read it |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in table.splitlines()[2:])))

    assert named == {field.name for field in fields(PersonTrend)} - {"as_of", "model", "baseline"}
    assert all(f"`{state.value}`" in table for state in TrendState)
