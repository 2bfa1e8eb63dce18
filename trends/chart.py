r"""The control chart that watches a person's days against the person's own baseline, for many persons at once.

The chart is an exponentially weighted moving average (Roberts 1959, "Control chart tests based on geometric moving averages"), with
weights by age in calendar days, ``(1 - forgetting) ** age``, normalised, so that a gap neither fills in nor repeats anything.
Schat, Tuerlinckx, Smit, De Ketelaere and Ceulemans (2023, "Detecting mean changes in experience sampling data in real time",
Psychological Methods 28) found EWMA and CUSUM of day means the best univariate charts for such data, and that autocorrelation and a
short baseline make textbook limits useless. So the chart is divided by its own standard error, which holds

1. the autocorrelation of the days that are in it, gaps included,
2. the error of the baseline's mean, and that the first days after the baseline resemble its last,
3. that days with little speech are noisier than the baseline's days,
4. the error of the offset between two models, where the person's model was changed.

The limit is a quantile of Student's t with the degrees of freedom of the baseline (`Fit.degrees`), at a level that is divided
evenly (Bonferroni) among so many nearly independent looks as the chart has within the horizon: one, and `LOOKS_PER_MEMORY` more each
time that it forgets, which is every ``1 / forgetting`` days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trends.autocorrelation import Fit
from trends.quantiles import find_t_quantile
from trends.settings import TrendSettings

Array = NDArray[np.float64]
# Chosen by simulation, as was the default of `forgetting`, with other seeds than those that judge: benchmarks/trend_promises.py --tune.
LOOKS_PER_MEMORY = 3.5


@dataclass(frozen=True, eq=False)
class Chart:
    """The chart of each person on each calendar day after the baseline; arrays are float64 (n_persons, n_days).

    Attributes:
        level: weighted mean of the days so far, in the baseline's SD from its mean; NaN before the first.
        error: standard error of `level`, of the same unit.
        limit: how many standard errors are beyond what is usual, float64 (n_persons,).
    """

    level: Array
    error: Array
    limit: Array

    @property
    def is_beyond(self) -> NDArray[np.bool_]:
        """Whether the chart is outside its limits."""
        return np.asarray(np.abs(self.level) > self.limit[:, None] * self.error)


def draw_chart(
    values: Array,
    fit: Fit,
    settings: TrendSettings,
    *,
    extra_variance: Array | None = None,
    offset_share: Array | None = None,
    offset_error: Array | None = None,
) -> Chart:
    """Return the chart of the days that follow the baseline.

    Args:
        values: float64 (n_persons, n_days), on the scale of the baseline, NaN where nothing was observed; the first column is the
            day after the baseline's last observed day.
        fit: the baselines, `sd` over 0.
        settings: forgetting, clipping and level of the limit.
        extra_variance: of each day beyond that of the baseline's days, in squares of the scale, 0 or more.
        offset_share: 1 on days whose value was moved from another model's scale, otherwise 0.
        offset_error: standard error of that move, float64 (n_persons,), on the scale.
    """
    is_observed = np.isfinite(values)
    sd = fit.sd[:, None]
    steps = np.clip((values - fit.mean[:, None]) / sd, -settings.clip_sd, settings.clip_sd)
    noise = np.zeros_like(values) if extra_variance is None else extra_variance / sd**2
    moved = np.zeros_like(values) if offset_share is None else offset_share
    of_offset = np.zeros(len(values)) if offset_error is None else offset_error / fit.sd
    keep = 1 - settings.forgetting
    total, weight, variance, joint, with_baseline, of_moved = (np.zeros(len(values)) for _ in range(6))
    level, error = np.full_like(values, np.nan), np.full_like(values, np.nan)
    for day in range(values.shape[1]):
        seen = is_observed[:, day]
        # joint: covariance of the weighted sum with what this day's value is, observed or not.
        joint = keep * fit.rho * joint
        variance = keep**2 * variance + np.where(seen, 1 + noise[:, day] + 2 * joint, 0.0)
        joint = joint + seen
        with_baseline = keep * with_baseline + seen * fit.rho ** (day + 1) / fit.information
        total = keep * total + np.where(seen, steps[:, day], 0.0)
        weight = keep * weight + seen
        of_moved = keep * of_moved + np.where(seen, moved[:, day], 0.0)
        some = np.where(weight > 0, weight, np.nan)
        level[:, day] = total / some
        squares = variance / some**2 + 1 / fit.information - 2 * with_baseline / some
        error[:, day] = np.sqrt(squares + (of_moved / some * of_offset) ** 2)
    return Chart(level, error, find_limit(fit, settings))


def find_limit(fit: Fit, settings: TrendSettings) -> Array:
    """Return how many standard errors are beyond what is usual, float64 (n_persons,)."""
    n_looks = 1 + LOOKS_PER_MEMORY * settings.horizon_days * settings.forgetting
    level = settings.false_alarm_share / settings.n_measures / n_looks
    return find_t_quantile(1 - level / 2, fit.degrees)
