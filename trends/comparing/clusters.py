"""The mean of values that come in groups, with an interval that takes whole groups for what was drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trends.quantiles import find_t_quantile

_SHARE = 0.975
_LEAST_DEGREES = 2.0  # with fewer the quantile of Student's t is too near


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with its interval of 95 %.

    Attributes:
        mean: of all values.
        low: lower end; None with an effective number of groups under three.
        high: upper end; None as `low`.
    """

    mean: float
    low: float | None
    high: float | None


class ClusteredMean:
    """Sums up groups of values, here the notes of one person each.

    The variance is that of a ratio of two sums over groups (Cochran 1977, "Sampling techniques", 2.11 and 9A.2), which is the
    cluster-robust variance of a mean. The degrees of freedom are the effective number of groups (Kish 1965, "Survey sampling")
    less one, so that one person with most of the notes does not pass for many.
    """

    def __init__(self) -> None:
        self.n = 0
        self.n_groups = 0
        self._total = self._total_squared = self._total_by_n = self._n_squared = 0.0

    def add(self, total: float, n: int) -> None:
        """Add one group by the sum and the number of its values; a group without values is none."""
        if n == 0:
            return
        self.n += n
        self.n_groups += 1
        self._total += total
        self._total_squared += total * total
        self._total_by_n += total * n
        self._n_squared += n * n

    def estimate(self) -> Estimate | None:
        """Return the mean and its interval; None without values.

        Example:
            >>> mean = ClusteredMean()
            >>> for total in (1.0, 2.0, 3.0):
            ...     mean.add(total, 1)
            >>> found = mean.estimate()
            >>> found.mean, round(found.low, 1), round(found.high, 1)
            (2.0, -0.4, 4.4)
        """
        if self.n == 0:
            return None
        mean = self._total / self.n
        degrees = self.n * self.n / self._n_squared - 1
        if degrees < _LEAST_DEGREES:
            return Estimate(mean=mean, low=None, high=None)
        squares = self._total_squared - 2 * mean * self._total_by_n + mean * mean * self._n_squared
        error = math.sqrt(max(squares, 0.0) * self.n_groups / (self.n_groups - 1)) / self.n
        reach = float(find_t_quantile(_SHARE, degrees)) * error
        return Estimate(mean=mean, low=mean - reach, high=mean + reach)
