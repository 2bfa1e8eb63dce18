"""Figures of two model versions: who calls what how, which classes shift, and how differences are spread."""

from __future__ import annotations

from collections.abc import Sequence

from pictures.axes import Scale, choose_ticks, draw_value_axis, say_number
from pictures.marks import Figure, Mark, Plot, dot, line, rect, words
from pictures.person_figures import WIDTHS
from trends.comparing import NO_SPEECH, ClassShift, Comparison, PersonShifts
from trends.comparing.records import BAR, N_BARS, PERSON_BAR

_ROW = 34
_CELL = 34
_LEAST_REACH = 0.05  # of a score: a smaller shift is not drawn as if it filled the picture
_DARK = 0.5  # of a row: from here on a cell's number is written in the colour of the paper
_N_LETTERS = 4


def draw_confusion(found: Comparison, *, width: int) -> Figure:
    """Draw how many recordings have which label under each version; a cell is fuller the more of its row are in it."""
    names = found.names
    plot = Plot(left=84, right=width - 4, top=24, bottom=24 + _CELL * len(names))
    step = (plot.right - plot.left) / len(names)
    marks: list[Mark] = []
    for place, name in enumerate(names):
        short = name if width > WIDTHS[1] else "none" if name == NO_SPEECH else name[:_N_LETTERS]
        marks.append(words("tick", plot.left + (place + 0.5) * step, plot.top - 8, short, anchor="middle"))
    for row, counts in enumerate(found.confusion):
        top = plot.top + row * _CELL
        marks.append(words("label", 0, top + _CELL / 2 + 4, names[row]))
        for column, n in enumerate(counts):
            share = n / sum(counts) if n else 0.0
            left = plot.left + column * step
            title = f"{names[row]} under {found.a}, {names[column]} under {found.b}: {n} ({share:.0%} of the row)"
            cell = rect("heat", left + 1, top + 1, left + step - 1, top + _CELL - 1, title=title)
            place_and_shade = {**cell.place, "fill-opacity": f"{0.04 + 0.96 * share:.2f}"}
            marks.append(Mark(tag=cell.tag, kind=cell.kind, place=place_and_shade, title=title))
            kind = "on-heat" if share >= _DARK else "label"
            marks.append(words(kind, left + step / 2, top + _CELL / 2 + 4, str(n), anchor="middle"))
    same = found.outcomes
    return Figure(
        name=f"confusion-{width}",
        title=f"Labels: rows {found.a}, columns {found.b}",
        text=f"{same.n_agree} of {same.n} recordings have the same label, or no speech, under both versions.",
        width=width,
        height=int(plot.bottom) + 4,
        marks=tuple(marks),
    )


def draw_shifts(found: Comparison, *, width: int) -> Figure:
    """Draw the mean difference of each class with its interval."""
    plot = Plot(left=8, right=width - 8, top=4, bottom=4 + _ROW * len(found.shifts))
    ends = [abs(end) for shift in found.shifts for end in _ends(shift)]
    reach = min(max([_LEAST_REACH, *ends]) * 1.1, 1.0)
    scale = Scale(first=-reach, last=reach, start=plot.left, end=plot.right)
    marks: list[Mark] = [line("axis", scale(0), plot.top, scale(0), plot.bottom)]
    for tick in choose_ticks(-reach, reach, n=6):
        marks.append(line("grid", scale(tick), plot.top, scale(tick), plot.bottom))
        marks.append(words("tick", scale(tick), plot.bottom + 15, f"{tick:+g}" if tick else "0", anchor="middle"))
    for row, shift in enumerate(found.shifts):
        at = plot.top + row * _ROW + 24
        low, high = (max(min(end, reach), -reach) for end in _ends(shift))
        title = f"{shift.label}: {say_shift(shift)}"
        marks.append(words("label", 0, at - 11, shift.label))
        marks.append(line("error", scale(low), at, scale(high), at, title=title))
        marks.append(dot("day", scale(max(min(shift.shift.mean, reach), -reach)), at, radius=4, title=title))
    return Figure(
        name=f"shifts-{width}",
        title=f"Mean scores, {found.b} less {found.a}",
        text="; ".join(f"{shift.label} {say_shift(shift)}" for shift in found.shifts),
        width=width,
        height=int(plot.bottom) + 24,
        marks=tuple(marks),
    )


def draw_differences(shift: ClassShift, *, width: int) -> Figure:
    """Draw how the differences of one class are spread over recordings."""
    first = -N_BARS * BAR / 2
    quantiles = shift.quantiles
    return _draw_histogram(
        f"differences-{shift.label}",
        shift.bars,
        first=first,
        step=BAR,
        ticks=(-1, -0.5, 0, 0.5, 1),
        title=f"Differences of {shift.label}, recording by recording",
        text=f"Half of the recordings are between {quantiles[1]:+.2f} and {quantiles[3]:+.2f}.",
        width=width,
    )


def draw_persons(persons: PersonShifts, *, width: int) -> Figure:
    """Draw how far persons move: the class that moves most of each."""
    quantiles = persons.quantiles
    return _draw_histogram(
        "persons",
        persons.bars,
        first=0.0,
        step=PERSON_BAR,
        ticks=(0, 0.25, 0.5, 0.75, 1),
        title="How far persons move",
        text=f"Of {persons.n_counted} persons half move by {quantiles[2]:.2f} or less, and 5 % by {quantiles[4]:.2f} or more.",
        width=width,
    )


def say_shift(shift: ClassShift) -> str:
    """Write a mean difference with its interval."""
    found = shift.shift
    if found.low is None or found.high is None:
        return f"{found.mean:+.3f}"
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _draw_histogram(
    name: str,
    bars: Sequence[int],
    *,
    first: float,
    step: float,
    ticks: Sequence[float],
    title: str,
    text: str,
    width: int,
) -> Figure:
    plot = Plot(left=44, right=width - 12, top=8, bottom=108)
    total, most = sum(bars), max(bars)
    values = Scale(first=first, last=first + step * len(bars), start=plot.left, end=plot.right)
    shares = Scale(first=0, last=most / total, start=plot.bottom, end=plot.top)
    rising = [tick for tick in choose_ticks(0, most / total, n=3) if tick]
    marks = draw_value_axis(shares, plot, rising, say=lambda share: f"{say_number(round(100 * share, 3))} %")
    for place, n in enumerate(bars):
        if n:
            low = first + place * step
            told = f"{low:+.3f} to {low + step:+.3f}: {n} ({n / total:.1%})"
            marks.append(
                rect(
                    "note scored", values(low) + 0.5, shares(0), values(low + step) - 0.5, shares(n / total), title=told
                )
            )
    marks.append(line("axis", plot.left, plot.bottom, plot.right, plot.bottom))
    marks += [words("tick", values(tick), plot.bottom + 17, f"{tick:g}", anchor="middle") for tick in ticks]
    return Figure(name=f"{name}-{width}", title=title, text=text, width=width, height=132, marks=tuple(marks))


def _ends(shift: ClassShift) -> tuple[float, float]:
    found = shift.shift
    if found.low is None or found.high is None:
        return found.mean, found.mean
    return found.low, found.high
