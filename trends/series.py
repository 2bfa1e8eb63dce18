"""Which baseline a person's days are judged by, and the days on its scale, where models may have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from trends.calendar_row import lay_out
from trends.day import Day
from trends.day_baseline import DayBaseline, freeze_day_baseline
from trends.model_switch import ModelOffset, pair_models
from trends.settings import TrendSettings

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The baseline to judge by.

    Attributes:
        baseline: None as long as there is none.
        offset: from its model to the active one, where they differ.
        is_restarted: whether a change of model made an earlier baseline useless.
    """

    baseline: DayBaseline | None
    offset: ModelOffset | None = None
    is_restarted: bool = False


def choose_baseline(
    days: Sequence[Day], settings: TrendSettings, *, model: str, kept: DayBaseline | None = None
) -> Choice:
    """Choose the baseline that a person's days are judged by.

    The one that was kept, if its model is the active one or an offset joins them. If it cannot be used any more, the first that the
    active model's days give. Where none was kept, the earliest of those of the active model and of models that an offset joins to it.

    Args:
        days: of one person and measure, by every model.
        settings: what is enough.
        model: that is active.
        kept: baseline of before.
    """
    if kept is not None and kept.model == model:
        return Choice(baseline=kept)
    if kept is not None:
        offset = pair_models(days, kept.model, model, settings)
        if offset is not None:
            return Choice(baseline=kept, offset=offset)
    own = freeze_day_baseline([day for day in days if day.model == model], settings)
    if kept is not None:
        return Choice(baseline=own, is_restarted=True)
    choice, is_restarted = Choice(baseline=own), False
    for other in sorted({day.model for day in days} - {model}):
        baseline = freeze_day_baseline([day for day in days if day.model == other], settings)
        offset = pair_models(days, other, model, settings) if baseline is not None else None
        if baseline is not None and offset is None:
            is_restarted = True
        elif baseline is not None and (choice.baseline is None or baseline.last_day < choice.baseline.last_day):
            choice = Choice(baseline=baseline, offset=offset)
    return choice if choice.offset else replace(choice, is_restarted=is_restarted)


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """A person's days on the scale of a baseline; arrays are float64 (1, n_days), the first column is the day after the baseline.

    Attributes:
        days: observed ones, in order, one a calendar day; those of the baseline too.
        levels_by_day: of all of them, on the baseline's scale.
        first_day: of the columns.
        levels: of the days after the baseline, NaN where nothing was observed.
        extra_variance: by which a day is less certain than the baseline's days, 0 or more.
        offset_share: 1 on days whose level was moved from the active model's scale to the baseline's, otherwise 0.
        offset_error: of that move, (1,).
    """

    days: tuple[Day, ...]
    levels_by_day: dict[date, float]
    first_day: date
    levels: Array
    extra_variance: Array
    offset_share: Array
    offset_error: Array


def collect_series(days: Sequence[Day], choice: Choice, *, as_of: date) -> Series:
    """Collect a person's days on the scale of a baseline.

    A day that the baseline's model has scored has that level, every other day that of the active model less the offset.

    Args:
        days: of one person and measure, by every model, none after `as_of`.
        choice: with a baseline.
        as_of: last column.

    Raises:
        ValueError: there is no baseline.
    """
    baseline, offset = choice.baseline, choice.offset
    if baseline is None:
        raise ValueError("there is no baseline; needed is one")
    moved = {day.day: day for day in days if offset and day.model == offset.later and day.level is not None}
    own = {day.day: day for day in days if day.model == baseline.model and day.level is not None}
    chosen = dict(sorted((moved | own).items()))
    by = offset.offset if offset else 0.0
    levels = {day: (one.level or 0.0) - (0.0 if day in own else by) for day, one in chosen.items()}
    first_day = baseline.last_day + timedelta(days=1)
    # A model whose days vary more makes them less certain by as much.
    of_ratio = max(offset.ratio**2 - 1, 0.0) * baseline.sd**2 if offset else 0.0
    after = {day: one for day, one in chosen.items() if day >= first_day}
    extra = {
        day: max((one.error or 0.0) ** 2 - baseline.noise, 0.0) + (0.0 if day in own else of_ratio)
        for day, one in after.items()
    }
    return Series(
        days=tuple(chosen.values()),
        levels_by_day=levels,
        first_day=first_day,
        levels=lay_out({day: levels[day] for day in after}, first_day, as_of),
        extra_variance=np.nan_to_num(lay_out(extra, first_day, as_of)),
        offset_share=np.nan_to_num(lay_out({day: float(day not in own) for day in after}, first_day, as_of)),
        offset_error=np.array([offset.error if offset else 0.0]),
    )
