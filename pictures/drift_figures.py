"""The figure, the words and the rows of what nights have found of drift."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from db.drift import DriftNight
from db.reasons import DriftState
from pictures.axes import DayScale, Scale, choose_ticks, draw_day_axis, draw_value_axis, say_day, say_number
from pictures.marks import Figure, Mark, Plot, dot, line

HEAD = (
    "night",
    "state",
    "most moved",
    "divergence",
    "limit",
    "95 %: low",
    "high",
    "recent notes",
    "earlier notes",
    "persons",
)


def draw_nights(nights: Sequence[DriftNight], *, width: int) -> Figure:
    """Draw the measure that has moved most of each night, with the limit that it is held against; there are some."""
    plot = Plot(left=44, right=width - 8, top=8, bottom=128)
    last = max(night.night for night in nights)
    first = min(last - timedelta(days=27), *(night.night for night in nights))
    days = DayScale(first=first, last=last, start=plot.left, end=plot.right)
    most = max(max(night.largest.divergence, night.largest.limit) for night in nights if night.largest is not None)
    values = Scale(first=0, last=most * 1.1, start=plot.bottom, end=plot.top)
    marks = draw_value_axis(values, plot, choose_ticks(0, most * 1.1, n=4), say=say_number)
    marks += draw_day_axis(days, plot)
    for night in nights:
        marks += _draw_night(night, days, values)
    n_moved = sum(night.state is DriftState.MOVED for night in nights)
    return Figure(
        name=f"nights-{width}",
        title="Divergence from the reference period, night by night",
        text=f"{n_moved} of {len(nights)} nights are beyond their limit; the table beneath has each.",
        width=width,
        height=152,
        marks=tuple(marks),
    )


def _draw_night(night: DriftNight, days: DayScale, values: Scale) -> list[Mark]:
    largest = night.largest
    if largest is None:
        return []
    left, right = days.edge(night.night), days.edge(night.night) + days.width
    kind = "day" if night.state is DriftState.MOVED else "day other"
    title = f"{say_day(night.night)}: {largest.name} {largest.divergence:.3f}, limit {largest.limit:.3f}, {night.state.value}"
    return [
        line("limit", left, values(largest.limit), right, values(largest.limit)),
        dot(kind, days(night.night), values(largest.divergence), radius=3.4, title=title),
    ]


def list_rows(nights: Sequence[DriftNight]) -> list[tuple[str, ...]]:
    """Return a row of `HEAD` for each night."""
    rows: list[tuple[str, ...]] = []
    for night in nights:
        largest = night.largest
        numbers: tuple[str, ...] = ("", "", "", "", "")
        if largest is not None:
            values = (largest.divergence, largest.limit, largest.low, largest.high)
            numbers = (largest.name, *(f"{value:.3f}" for value in values))
        counts = (str(night.n_recent), str(night.n_reference), str(night.n_persons))
        rows.append((night.night.isoformat(), night.state.value.replace("_", " "), *numbers, *counts))
    return rows


def say_nights(nights: Sequence[DriftNight]) -> str:
    """Return what the last night found."""
    if not nights:
        return "not measured yet: the nightly run does."
    last = nights[0]
    if last.state is DriftState.TOO_FEW or last.largest is None:
        return f"too few notes or persons in the night of {say_day(last.night, has_year=True)}."
    moved = [measure.name for measure in last.measures if measure.has_moved]
    found = f"{', '.join(moved)} beyond the limit" if moved else "nothing beyond its limit"
    return (
        f"{found} in the night of {say_day(last.night, has_year=True)}; the largest divergence is that of "
        f"{last.largest.name}, {last.largest.divergence:.3f} bits (limit {last.largest.limit:.3f})."
    )
