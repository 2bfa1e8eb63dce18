"""Makes days of persons for the tests of trends."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from trends import Day

FIRST = date(2026, 1, 1)


def wander(rng, n_days, *, n_people=1, rho=0.3):
    """Return stationary AR(1) series of mean 0 and standard deviation 1, (n_people, n_days)."""
    values = rng.standard_normal((n_people, n_days))
    for day in range(1, n_days):
        values[:, day] = rho * values[:, day - 1] + np.sqrt(1 - rho**2) * values[:, day]
    return values


def make_days(levels, *, model="m-1", first=FIRST, error=0.4, n_scored=2, speech_s=40.0):
    """Return a day for each level, one after the other; NaN is a day without a scored note."""
    return [
        Day(day=first + timedelta(days=place), model=model, level=None, error=None, n_scored=0, n_failed=1)
        if np.isnan(level)
        else Day(
            day=first + timedelta(days=place),
            model=model,
            level=float(level),
            error=error,
            n_scored=n_scored,
            speech_s=speech_s,
        )
        for place, level in enumerate(levels)
    ]
