"""Draw a short series as one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], *, low: float = 0.0, high: float = 1.0, width: int | None = None) -> str:
    """Return one bar a value; values outside [low, high] show as the lowest or highest bar.

    Where there are more values than `width`, a bar is the mean of its share of them.

    >>> sparkline([0.0, 0.5, 1.0])
    '▁▅█'
    >>> sparkline([0.0, 0.0, 0.5, 0.5, 1.0, 1.0], width=3)
    '▁▅█'
    >>> sparkline([])
    ''
    """
    span = high - low
    shown = values if width is None or len(values) <= width else _means(values, width)
    steps = (round((min(max(value, low), high) - low) / span * (len(_BARS) - 1)) for value in shown)
    return "".join(_BARS[step] for step in steps)


def _means(values: Sequence[float], n: int) -> list[float]:
    edges = [len(values) * part // n for part in range(n + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
