"""From one model's scale to another's: the offset between two models, from days that both have scored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from trends.autocorrelation import fit_days
from trends.calendar_row import lay_out
from trends.day import Day
from trends.settings import TrendSettings

LARGEST_RATIO = 1.5  # of spreads: an offset does not join scales that differ more


@dataclass(frozen=True, kw_only=True)
class ModelOffset:
    """By how much the levels of a later model are above those of an earlier one.

    Attributes:
        earlier: model of the baseline.
        later: model of the days after it.
        offset: mean difference on the days that both have scored, log odds.
        error: standard error of that.
        ratio: standard deviation of the later model's days by that of the earlier one's.
        n_days: that both have scored.
    """

    earlier: str
    later: str
    offset: float
    error: float
    ratio: float
    n_days: int


def pair_models(days: Iterable[Day], earlier: str, later: str, settings: TrendSettings) -> ModelOffset | None:
    """Return the offset between two models, None where the days that both have scored do not give one.

    They do not where there are fewer than `overlap_days`, or where one model's days vary more than 1.5 times as much.

    Args:
        days: of one person and measure, by every model.
        earlier: model of the baseline.
        later: the other model.
        settings: how many days are enough, and the prior of the autocorrelation.
    """
    levels: dict[str, dict[date, float]] = {earlier: {}, later: {}}
    for day in days:
        if day.model in levels and day.level is not None:
            levels[day.model][day.day] = day.level
    both = sorted(set(levels[earlier]) & set(levels[later]))
    if len(both) < settings.overlap_days:
        return None
    spreads = [float(np.std([levels[name][day] for day in both])) for name in (earlier, later)]
    if not spreads[0] / LARGEST_RATIO <= spreads[1] <= spreads[0] * LARGEST_RATIO:
        return None
    differences = {day: levels[later][day] - levels[earlier][day] for day in both}
    row = lay_out(differences, both[0], both[-1])
    fit = fit_days(row, prior_rho=settings.prior_rho, prior_rho_sd=settings.prior_rho_sd)
    return ModelOffset(
        earlier=earlier,
        later=later,
        offset=float(fit.mean[0]),
        error=float(fit.sd[0] / np.sqrt(fit.information[0])),
        ratio=spreads[1] / spreads[0] if spreads[0] else 1.0,
        n_days=len(both),
    )
