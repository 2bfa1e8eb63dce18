"""How much a person's days vary, beside their level: secondary figures.

Beyond mean and standard deviation such figures tell little of wellbeing: Dejonckheere et al. (2019, "Complex affect dynamics add
limited information to the prediction of psychological well-being", Nature Human Behaviour 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from trends.autocorrelation import fit_days
from trends.calendar_row import lay_out
from trends.settings import TrendSettings

MIN_PAIRS = 7  # of neighbouring days


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How much days vary.

    Attributes:
        sd: of single days, log odds.
        rmssd: root of the mean squared step from one day to the next; None with fewer than seven such steps.
        inertia: autocorrelation of neighbouring days, shrunk towards the settings' prior.
        n_days: behind it.
    """

    sd: float
    rmssd: float | None
    inertia: float
    n_days: int


def describe_variation(levels: Mapping[date, float], settings: TrendSettings) -> Variation | None:
    """Describe how much days vary, None with fewer than the settings' `slope_min_days`.

    Args:
        levels: day to level, log odds.
        settings: how many days are enough, and the prior of the autocorrelation.
    """
    if len(levels) < settings.slope_min_days:
        return None
    row = lay_out(levels, min(levels), max(levels))
    fit = fit_days(row, prior_rho=settings.prior_rho, prior_rho_sd=settings.prior_rho_sd)
    steps = [levels[day] - levels[day - timedelta(days=1)] for day in levels if day - timedelta(days=1) in levels]
    return Variation(
        sd=float(fit.sd[0]),
        rmssd=float(np.sqrt(np.mean(np.square(steps)))) if len(steps) >= MIN_PAIRS else None,
        inertia=float(fit.rho[0]),
        n_days=len(levels),
    )
