"""Scales from days, scores and other numbers to pixels, and where their ticks are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pictures.marks import Mark, Plot, line, words
from trends import from_logit, to_logit

_TEXT_HEIGHT = 4  # px by which a label's base is below its middle
_STEPS = (1, 2, 5, 10)
_DAY_STEPS = (1, 2, 7, 14, 28, 91, 182, 364)
_NICE_SCORES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A straight line from values to pixels.

    Attributes:
        first: value at `start`.
        last: value at `end`, another one.
        start: px.
        end: px; less than `start` where larger values are further up.
    """

    first: float
    last: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where a value is, px.

        >>> Scale(first=0, last=10, start=100, end=0)(2)
        80.0
        """
        return self.start + (value - self.first) / (self.last - self.first) * (self.end - self.start)


@dataclass(frozen=True, kw_only=True)
class DayScale:
    """Calendar days side by side, each of the same width.

    Attributes:
        first: the first day.
        last: the last one, the same or later.
        start: px.
        end: px.
    """

    first: date
    last: date
    start: float
    end: float

    @property
    def width(self) -> float:
        """The width of one day, px."""
        return (self.end - self.start) / ((self.last - self.first).days + 1)

    def __call__(self, day: date) -> float:
        """Return the middle of a day, px."""
        return self.edge(day) + self.width / 2

    def edge(self, day: date) -> float:
        """Return where a day begins, px."""
        return self.start + (day - self.first).days * self.width


def say_day(day: date, *, has_year: bool = False) -> str:
    """Write a day as people read it.

    >>> say_day(date(2026, 5, 4)), say_day(date(2026, 5, 4), has_year=True)
    ('4 May', '4 May 2026')
    """
    return f"{day.day} {day:%b}" + (f" {day.year}" if has_year else "")


def draw_day_axis(scale: DayScale, plot: Plot, *, text_width: float = 52) -> list[Mark]:
    """Return a line under a plot with so many days named as there is room for."""
    marks = [line("axis", plot.left, plot.bottom, plot.right, plot.bottom)]
    n_days = (scale.last - scale.first).days + 1
    most = max(int((plot.right - plot.left) / text_width), 1)
    step = next((step for step in _DAY_STEPS if n_days / step <= most), _DAY_STEPS[-1])
    day = scale.first
    while day <= scale.last:
        at = scale(day)
        marks.append(line("axis", at, plot.bottom, at, plot.bottom + 4))
        # The last one would stand outside the figure, and moved to the left it would touch its neighbour.
        if at + text_width / 3 <= plot.right + 8:
            marks.append(words("tick", at, plot.bottom + 17, say_day(day), anchor="middle"))
        day += timedelta(days=step)
    return marks


def draw_value_axis(
    scale: Scale, plot: Plot, ticks: Sequence[float], *, say: Callable[[float], str], least_px: float = 24
) -> list[Mark]:
    """Return a faint line across a plot for each tick that is inside, with its value to the left.

    Args:
        scale: of the values.
        plot: where they are drawn.
        ticks: values, rising.
        say: writes a tick.
        least_px: leave out ticks that are nearer to the one before.
    """
    marks: list[Mark] = []
    before = math.inf
    for tick in ticks:
        at = scale(tick)
        if plot.top <= at <= plot.bottom + 0.5 and abs(before - at) >= least_px:
            before = at
            marks.append(line("grid", plot.left, at, plot.right, at))
            marks.append(words("tick", plot.left - 6, at + _TEXT_HEIGHT, say(tick), anchor="end"))
    return marks


def score_ticks() -> list[float]:
    """Return the log odds of round scores."""
    return [float(to_logit(score)) for score in _NICE_SCORES]


def say_score(level: float) -> str:
    """Write log odds as the score that they are.

    >>> say_score(0.0), say_score(-2.9444)
    ('.50', '.05')
    """
    return f"{from_logit(level):.2f}".removeprefix("0")


def choose_ticks(first: float, last: float, *, n: int = 5) -> list[float]:
    """Return about `n` round values from `first` to `last`.

    >>> choose_ticks(0, 43)
    [0, 10, 20, 30, 40]
    """
    rough = (last - first) / n
    if not rough > 0:
        return [first]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * step for step in _STEPS if power * step >= rough)
    ticks = [round(place * step, 12) for place in range(math.ceil(first / step), math.floor(last / step) + 1)]
    return [int(tick) if tick == int(tick) else tick for tick in ticks]


def say_number(value: float) -> str:
    """Write a tick without needless digits.

    >>> say_number(1200), say_number(0.5)
    ('1200', '0.5')
    """
    return f"{value:g}"
