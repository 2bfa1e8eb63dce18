"""Draw a short series as one line of text."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], *, low: float = 0.0, high: float = 1.0) -> str:
    """Return one bar a value; values outside [low, high] show as the lowest or highest bar.

    >>> sparkline([0.0, 0.5, 1.0])
    '▁▅█'
    >>> sparkline([])
    ''
    """
    span = high - low
    steps = (round((min(max(value, low), high) - low) / span * (len(_BARS) - 1)) for value in values)
    return "".join(_BARS[step] for step in steps)
