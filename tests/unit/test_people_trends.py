"""Trends as they are kept: a frozen baseline of days, judged as of today; also run on PostgreSQL in tests/integration."""

from datetime import timedelta

import numpy as np
import pytest
from db_samples import new_sqlite
from people_samples import FIRST, a_scored, add_model, add_notes, correct, draw_scores, make_scores, register, score
from sqlalchemy import select

from db import erasures, models
from db.erasures import Chosen
from db.people_rows import read_days, read_trends
from db.people_schema import subject_trends
from db.reasons import ErasureScope, TrendState
from people import refresh
from trends import TrendSettings, judge_person, read_day_baseline
from trends.day import Day

N_DAYS = 75
LAST = FIRST + timedelta(days=N_DAYS - 1)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def trend_of(engine, measure="sadness", subject="anna"):
    return {trend.measure: trend for trend in read_trends(engine, "default", subject)}[measure]


def test_a_trend_is_that_of_the_arithmetic_on_the_days_that_are_kept(engine):
    add_notes(engine, add_model(engine), "anna", make_scores(N_DAYS))

    refresh(engine, now=LAST)

    for measure in ("anger", "happiness", "neutral", "sadness"):
        days = [
            Day(
                day=day.day,
                model="whisper3-1.0",
                n_scored=day.n_scored,
                speech_s=day.speech_ms / 1_000,
                **day.levels[measure],
            )
            for day in read_days(engine, "default", "anna")
        ]
        expected = judge_person(days, TrendSettings(n_measures=4), model="whisper3-1.0", as_of=LAST.date()).as_dict()
        kept = trend_of(engine, measure)
        assert list(kept.chart) == expected.pop("chart")
        assert kept.trend == expected
        assert kept.baseline == expected["baseline"]
        assert kept.state in (TrendState.STABLE, TrendState.SHIFTED_UP, TrendState.SHIFTED_DOWN)


def test_a_person_with_few_days_is_insufficient_and_told_how_many_there_are(engine):
    add_notes(engine, add_model(engine), "anna", make_scores(4))

    refresh(engine, now=FIRST + timedelta(days=4))

    trend = trend_of(engine)
    assert (trend.state, trend.reason) == (TrendState.INSUFFICIENT, "too_few_baseline_days")
    assert trend.trend["evidence"]["baseline"]["days"] == 4
    assert (trend.baseline, trend.chart, trend.since) == (None, (), None)


def test_whoever_sends_no_more_notes_becomes_insufficient_without_a_new_note(engine):
    add_notes(engine, add_model(engine), "anna", make_scores(N_DAYS))
    refresh(engine, now=LAST)
    before = trend_of(engine)
    assert before.state is not TrendState.INSUFFICIENT

    done = refresh(engine)  # as of the database's clock, months later

    trend = trend_of(engine)
    assert done.n_people == 1
    assert (trend.state, trend.reason) == (TrendState.INSUFFICIENT, "too_few_recent_days")
    assert trend.baseline == before.baseline
    assert refresh(engine).n_people == 0


def test_a_note_that_comes_late_changes_no_baseline_of_days(engine):
    model = add_model(engine)
    add_notes(engine, model, "anna", make_scores(N_DAYS))
    refresh(engine, now=LAST)
    before = trend_of(engine)

    add_notes(engine, model, "anna", make_scores(1, seed=8), start=FIRST + timedelta(days=20, hours=1))
    refresh(engine, now=LAST)

    assert trend_of(engine).baseline == before.baseline


def test_a_new_note_leaves_the_days_before_it_as_they_are(engine):
    model = add_model(engine)
    add_notes(engine, model, "anna", make_scores(61))
    refresh(engine, now=LAST)
    before = read_days(engine, "default", "anna")

    add_notes(engine, model, "anna", make_scores(1, seed=8), start=FIRST + timedelta(days=61))
    refresh(engine, now=LAST)

    assert read_days(engine, "default", "anna")[:61] == before


@pytest.mark.parametrize("how", ["moved", "erased"])
def test_a_note_that_leaves_the_days_of_a_baseline_has_it_made_anew(engine, how):
    ids = add_notes(engine, add_model(engine), "anna", make_scores(N_DAYS))
    refresh(engine, now=LAST)
    before = read_day_baseline(trend_of(engine).baseline)

    if how == "moved":
        correct(engine, ids[20], subject="ben")
    else:
        erasures.begin(engine, Chosen(recording_id=ids[20]), scope=ErasureScope.ALL)
    refresh(engine, now=LAST)

    after = read_day_baseline(trend_of(engine).baseline)
    assert after.last_day == before.last_day + timedelta(days=1)
    assert (after.n_days, after.n_notes) == (60, 60)


def test_a_note_that_leaves_a_later_day_leaves_the_baseline_as_it_is(engine):
    ids = add_notes(engine, add_model(engine), "anna", make_scores(N_DAYS))
    refresh(engine, now=LAST)
    before = trend_of(engine)

    correct(engine, ids[70], subject="ben")
    refresh(engine, now=LAST)

    after = trend_of(engine)
    assert after.baseline == before.baseline
    assert len(after.chart) == len(before.chart) - 1


def test_a_baseline_of_days_is_kept_once_all_notes_of_its_time_have_been_through(engine):
    model = add_model(engine)
    made = make_scores(N_DAYS)
    ids = register(engine, "anna", [FIRST + timedelta(days=place) for place in range(N_DAYS)])
    results = {one: a_scored(scores) for one, scores in zip(ids, made, strict=True)}

    score(engine, model, {one: result for one, result in results.items() if one != ids[10]})
    refresh(engine, now=LAST)
    early = trend_of(engine)
    score(engine, model, {ids[10]: results[ids[10]]})
    refresh(engine, now=LAST)

    kept = read_day_baseline(trend_of(engine).baseline)
    assert early.baseline is None
    assert early.trend["baseline"]["n_days"] == 60
    assert kept.last_day == FIRST.date() + timedelta(days=59)


def test_a_shift_is_kept_with_the_day_that_it_began(engine):
    model = add_model(engine)
    rng = np.random.default_rng(4)
    add_notes(engine, model, "anna", [draw_scores(rng, (0.0, 0.0, 0.0, -2.0)) for _ in range(60)])
    later = [draw_scores(rng, (0.0, 0.0, 0.0, 3.0)) for _ in range(30)]
    add_notes(engine, model, "anna", later, start=FIRST + timedelta(days=60))

    refresh(engine, now=FIRST + timedelta(days=89))

    trend = trend_of(engine)
    assert trend.state is TrendState.SHIFTED_UP
    assert abs((trend.since - FIRST.date()).days - 60) <= 3
    assert trend.trend["shift"]["since"] == trend.since.isoformat()


def test_a_model_that_scored_the_same_days_goes_on_with_the_baseline_of_the_earlier_one(engine):
    first = add_model(engine)
    ids = add_notes(engine, first, "anna", make_scores(N_DAYS))
    refresh(engine, now=LAST)
    second = add_model(engine, "2.0")
    made = dict(zip(ids[-20:], map(a_scored, make_scores(N_DAYS)[-20:]), strict=True))

    score(engine, second, made)
    refresh(engine, now=LAST)

    trend = trend_of(engine)
    assert trend.model_id == second.id
    assert trend.baseline["model"] == "whisper3-1.0"
    assert trend.trend["offset"]["n_days"] == 20
    assert trend.state is not TrendState.INSUFFICIENT
    assert models.active_model(engine).id == second.id


def test_days_that_have_not_come_yet_do_not_count(engine):
    model = add_model(engine)
    add_notes(engine, model, "anna", make_scores(N_DAYS))
    register(engine, "anna", [LAST + timedelta(days=900)])  # by a wrong clock

    refresh(engine, now=LAST)

    with engine.connect() as connection:
        assert set(connection.scalars(select(subject_trends.c.as_of))) == {LAST.date()}
    assert trend_of(engine).state is not TrendState.INSUFFICIENT
