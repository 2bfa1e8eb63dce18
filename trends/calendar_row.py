"""Days on the calendar as a row of an array, in which a day without a value is a gap."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray


def lay_out(values: Mapping[date, float], first_day: date, last_day: date) -> NDArray[np.float64]:
    """Return one row of calendar days, float64 (1, n_days), NaN where there is no value.

    Args:
        values: day to value; none lies outside the row.
        first_day: of the row.
        last_day: of the row; before the first day the row is empty.

    Example:
        >>> lay_out({date(2026, 3, 1): 0.5, date(2026, 3, 3): 0.7}, date(2026, 3, 1), date(2026, 3, 3)).tolist()
        [[0.5, nan, 0.7]]
    """
    row = np.full((1, max((last_day - first_day).days + 1, 0)), np.nan)
    for day, value in values.items():
        row[0, (day - first_day).days] = value
    return row
