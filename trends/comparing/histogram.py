"""Counts by equal steps of a range: quantiles of any number of values in the memory of a few hundred."""

from __future__ import annotations

from collections.abc import Sequence


class Histogram:
    """Counts values between two ends in equal steps; what is further out counts at the end.

    Args:
        low: the lower end.
        high: the upper end.
        n_steps: how many steps there are between them; a quantile is exact to half a step.
    """

    def __init__(self, low: float, high: float, *, n_steps: int) -> None:
        self._low, self._step = low, (high - low) / n_steps
        self._counts = [0] * n_steps
        self.n = 0

    def add(self, value: float) -> None:
        """Count one value."""
        place = int((value - self._low) / self._step)
        self._counts[min(max(place, 0), len(self._counts) - 1)] += 1
        self.n += 1

    def quantile(self, share: float) -> float | None:
        """Return the value that a share of the counted ones does not exceed, to half a step; None of no values.

        Example:
            >>> ages = Histogram(0, 100, n_steps=100)
            >>> for age in (10, 20, 30, 40):
            ...     ages.add(age)
            >>> ages.quantile(0.5), ages.quantile(1.0)
            (20.5, 40.5)
        """
        if self.n == 0:
            return None
        wanted, so_far = share * self.n, 0
        for place, count in enumerate(self._counts):
            so_far += count
            if count and so_far >= wanted - 1e-9:
                return round(self._low + (place + 0.5) * self._step, 9)
        raise AssertionError("the counts do not sum to n")

    def quantiles(self, shares: Sequence[float]) -> tuple[float, ...]:
        """Return several quantiles; none of no values."""
        found = [self.quantile(share) for share in shares]
        return tuple(value for value in found if value is not None)

    def bars(self, n_bars: int) -> tuple[int, ...]:
        """Return the counts in fewer, equal steps; `n_bars` divides the number of steps.

        Example:
            >>> halves = Histogram(0, 1, n_steps=10)
            >>> halves.add(0.2), halves.add(0.9), halves.add(0.8)
            (None, None, None)
            >>> halves.bars(2)
            (1, 2)
        """
        width = len(self._counts) // n_bars
        return tuple(sum(self._counts[bar * width : (bar + 1) * width]) for bar in range(n_bars))
