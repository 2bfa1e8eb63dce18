"""A shift: since when a person's chart is beyond its limit, and when the shift most likely began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from trends.chart import Chart


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A chart that is beyond its limit.

    Attributes:
        flagged_on: first day of those, without a break up to now, on which it was.
        since: day with which the shift most likely began.
        average: of the chart now, in the baseline's standard deviations from its mean.
        error: standard error of that.
        limit: how many standard errors are beyond what is usual.
    """

    flagged_on: date
    since: date
    average: float
    error: float
    limit: float


def find_shift(chart: Chart, steps: NDArray[np.float64], first_day: date) -> Shift | None:
    """Return the shift of one person's chart, None where it is within its limits on its last day.

    The first day is that of largest likelihood had the mean moved once before the chart was beyond its limit: the day from which
    ``n mean^2`` of the days up to that limit is largest (Pignatiello and Samuel 2001, "Estimation of the change point of a normal
    process mean in SPC applications", Journal of Quality Technology 33).

    Args:
        chart: of one person.
        steps: the days behind it, in the baseline's standard deviations from its mean, (n_days,), NaN where nothing was observed.
        first_day: of the chart.
    """
    is_beyond = chart.is_beyond[0]
    if not is_beyond.any() or not is_beyond[-1]:
        return None
    direction = np.sign(chart.level[0, -1])
    is_same = is_beyond & (np.sign(chart.level[0]) == direction)
    breaks = np.flatnonzero(~is_same)
    flagged = int(breaks[-1]) + 1 if breaks.size else 0
    # From the flagged day backwards: sums of so many days, with the sign of the shift.
    signed = np.where(np.isfinite(steps[: flagged + 1]), steps[: flagged + 1], 0.0)[::-1] * direction
    n_days = np.cumsum(np.isfinite(steps[: flagged + 1])[::-1])
    sums = np.cumsum(signed)
    likelihood = np.where((n_days > 0) & (sums > 0), sums**2 / np.maximum(n_days, 1), -np.inf)
    return Shift(
        flagged_on=first_day + timedelta(days=flagged),
        since=first_day + timedelta(days=flagged - int(np.argmax(likelihood))),
        average=float(chart.level[0, -1]),
        error=float(chart.error[0, -1]),
        limit=float(chart.limit[0]),
    )
