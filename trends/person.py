"""Judge one person's days in one measure: usual level, recent level, shift or none, slope, and the numbers behind the answer.

Everything is relative to the person's own past; persons are not compared. Where there is too little evidence the state is
`insufficient`, and no number is given but how much evidence there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from trends.chart import Chart, draw_chart
from trends.day import Day
from trends.day_baseline import DayBaseline
from trends.evidence import Amount, count_days
from trends.person_trend import (
    LACK_OF_BASELINE,
    LACK_OF_RECENT,
    ChartPoint,
    Evidence,
    PersonTrend,
    RecentLevel,
    TrendReason,
    TrendState,
)
from trends.recent import measure_recent
from trends.series import Series, choose_baseline, collect_series
from trends.settings import TrendSettings
from trends.shift import find_shift
from trends.slope import Slope, fit_slope
from trends.variation import describe_variation


def judge_person(
    days: Sequence[Day],
    settings: TrendSettings | None = None,
    *,
    model: str,
    as_of: date,
    baseline: DayBaseline | None = None,
) -> PersonTrend:
    """Judge a person's days as of one of them.

    The baseline is the one that is given, as long as it fits the active model (`choose_baseline`). What is returned may name a
    new one: keep it, and give it the next time.

    Args:
        days: of one person and one measure, by every model that scored them, in any order. Those after `as_of` are left out.
        settings: by default `TrendSettings()`.
        model: that is active.
        as_of: the last day that counts.
        baseline: that was kept for this person and measure.

    Raises:
        ValueError: one day and model is there twice.
    """
    chosen = settings or TrendSettings()
    known = [day for day in days if day.day <= as_of]
    _refuse_repeats(known)
    choice = choose_baseline(known, chosen, model=model, kept=baseline)
    if choice.baseline is None:
        amount = count_days(day for day in known if day.model == model)
        lack = amount.find_lack(chosen.needed_for_baseline)
        return PersonTrend(
            state=TrendState.INSUFFICIENT,
            reason=LACK_OF_BASELINE[lack] if lack else TrendReason.BASELINE_DAYS_TOO_FAR_APART,
            as_of=as_of,
            model=model,
            evidence=Evidence(baseline=amount, recent=Amount()),
            is_restarted=choice.is_restarted,
        )
    series = collect_series(known, choice, as_of=as_of)
    recent = _count_recent(series, chosen, as_of=as_of)
    lack = recent.find_lack(chosen.needed_recently)
    trend = PersonTrend(
        state=TrendState.INSUFFICIENT if lack else TrendState.STABLE,
        reason=LACK_OF_RECENT[lack] if lack else TrendReason.WITHIN_LIMITS,
        as_of=as_of,
        model=model,
        evidence=Evidence(baseline=choice.baseline.amount, recent=recent),
        baseline=choice.baseline,
        is_restarted=choice.is_restarted,
        offset=choice.offset,
    )
    return trend if lack else _conclude(trend, choice.baseline, series, chosen)


def _refuse_repeats(days: Sequence[Day]) -> None:
    seen: set[tuple[date, str]] = set()
    for day in days:
        if (day.day, day.model) in seen:
            raise ValueError(f"day {day.day} of model {day.model} is there twice; needed is each once")
        seen.add((day.day, day.model))


def _conclude(trend: PersonTrend, baseline: DayBaseline, series: Series, settings: TrendSettings) -> PersonTrend:
    fit = baseline.as_fit()
    uncertainty = {
        "extra_variance": series.extra_variance,
        "offset_share": series.offset_share,
        "offset_error": series.offset_error,
    }
    chart = draw_chart(series.levels, fit, settings, **uncertainty)
    shift = find_shift(chart, (series.levels[0] - baseline.mean) / baseline.sd, series.first_day)
    state = trend.state
    if shift is not None:
        state = TrendState.SHIFTED_UP if shift.average > 0 else TrendState.SHIFTED_DOWN
    earliest = trend.as_of - timedelta(days=settings.slope_days - 1)
    period = {day: level for day, level in series.levels_by_day.items() if day >= earliest}
    return replace(
        trend,
        state=state,
        reason=trend.reason if shift is None else TrendReason.BEYOND_LIMIT,
        recent=_describe_recent(baseline, series, settings, as_of=trend.as_of),
        shift=shift,
        slope=_find_slope(period, baseline, settings),
        variation=describe_variation(period, settings),
        chart=_list_points(chart, series, baseline),
    )


def _describe_recent(baseline: DayBaseline, series: Series, settings: TrendSettings, *, as_of: date) -> RecentLevel:
    n_days = min(settings.recent_days, series.levels.shape[1])
    recent = measure_recent(
        series.levels[:, -n_days:],
        baseline.as_fit(),
        n_days_before=series.levels.shape[1] - n_days + 1,
        confidence=settings.confidence,
        extra_variance=series.extra_variance[:, -n_days:],
        offset_share=series.offset_share[:, -n_days:],
        offset_error=series.offset_error,
    )
    difference = float(recent.difference[0])
    return RecentLevel(
        first_day=as_of - timedelta(days=n_days - 1),
        last_day=as_of,
        level=baseline.mean + difference,
        difference=difference,
        low=float(recent.low[0]),
        high=float(recent.high[0]),
        effect_size=difference / baseline.sd,
    )


def _find_slope(period: Mapping[date, float], baseline: DayBaseline, settings: TrendSettings) -> Slope | None:
    if len(period) < settings.slope_min_days:
        return None
    at = [(day - baseline.first_day).days for day in period]
    return fit_slope(at, list(period.values()), rho=baseline.rho, confidence=settings.confidence)


def _list_points(chart: Chart, series: Series, baseline: DayBaseline) -> tuple[ChartPoint, ...]:
    points = []
    for column in np.flatnonzero(np.isfinite(series.levels[0])):
        reach = float(chart.limit[0] * chart.error[0, column])
        points.append(
            ChartPoint(
                day=series.first_day + timedelta(days=int(column)),
                level=float(series.levels[0, column]),
                average=baseline.mean + baseline.sd * float(chart.level[0, column]),
                low=baseline.mean - baseline.sd * reach,
                high=baseline.mean + baseline.sd * reach,
            )
        )
    return tuple(points)


def _count_recent(series: Series, settings: TrendSettings, *, as_of: date) -> Amount:
    earliest = max(series.first_day, as_of - timedelta(days=settings.recent_days - 1))
    return count_days(day for day in series.days if day.day >= earliest)
