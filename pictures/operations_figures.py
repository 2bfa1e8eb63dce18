"""Figures for operators: bars of counts, output by day, scores by week, and curves of false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta

from db.operations import N_BINS, DayOutput, WeekScores
from pictures.axes import DayScale, Scale, choose_ticks, draw_day_axis, draw_value_axis, say_day, say_number
from pictures.marks import Figure, Mark, Plot, line, path, rect, words
from pictures.operations import OUTPUT_DAYS, Curves, OperationsPage
from pictures.person_figures import WIDTHS

_ROW = 34


def draw_bars(
    name: str, rows: Mapping[str, Mapping[str, int]], *, title: str, width: int, total: int | None = None
) -> Figure:
    """Draw a row of parts for each name, one behind the other.

    Args:
        name: of the figure.
        rows: for each row how many there are of each kind; a kind is a class of the style sheet.
        title: of the figure.
        width: px.
        total: length of the axis; None: that of the longest row.
    """
    longest = total or max([sum(parts.values()) for parts in rows.values()] or [1])
    plot = Plot(left=0, right=width - 56, top=2, bottom=0)
    scale = Scale(first=0, last=max(longest, 1), start=plot.left, end=plot.right)
    marks: list[Mark] = []
    for place, (row, parts) in enumerate(rows.items()):
        top, n_before = plot.top + place * _ROW, 0
        marks.append(words("label", 0, top + 11, row))
        for kind, n in parts.items():
            if n:
                end = max(scale(n_before + n), scale(n_before) + 1)
                marks.append(rect(f"note {kind}", scale(n_before), top + 16, end, top + 28, title=f"{row}: {n} {kind}"))
                n_before += n
        marks.append(words("tick", scale(n_before) + 6, top + 26, str(n_before)))
    text = "; ".join(f"{row}: " + ", ".join(f"{n} {kind}" for kind, n in parts.items()) for row, parts in rows.items())
    return Figure(
        name=f"{name}-{width}", title=title, text=text, width=width, height=len(rows) * _ROW + 4, marks=tuple(marks)
    )


def draw_output(page: OperationsPage, *, width: int) -> Figure:
    """Draw how many notes were finished on each of the last days (UTC)."""
    plot = Plot(left=40, right=width - 8, top=8, bottom=108)
    today = page.at.astimezone(UTC).date()
    days = DayScale(first=today - timedelta(days=OUTPUT_DAYS - 1), last=today, start=plot.left, end=plot.right)
    most = max([day.n_notes for day in page.output] or [1])
    counts = Scale(first=0, last=most, start=plot.bottom, end=plot.top)
    ticks = [tick for tick in choose_ticks(0, most, n=4) if tick == int(tick)]
    marks = draw_value_axis(counts, plot, ticks, say=say_number)
    marks += [_draw_output_day(day, days, counts) for day in page.output if days.first <= day.day <= days.last]
    marks += draw_day_axis(days, plot)
    text = f"{sum(day.n_notes for day in page.output)} notes; at most {most} on one day."
    return Figure(
        name=f"output-{width}",
        title="Notes finished on each day (UTC)",
        text=text,
        width=width,
        height=132,
        marks=tuple(marks),
    )


def draw_weeks(label: str, weeks: Sequence[WeekScores], *, width: int) -> Figure:
    """Draw the distribution of a label's scores week by week: the fuller, the more of the week's notes."""
    plot = Plot(left=40, right=width - 8, top=8, bottom=108)
    first, last = weeks[0].week, weeks[-1].week + timedelta(days=6)
    days = DayScale(first=first, last=last, start=plot.left, end=plot.right)
    scores = Scale(first=0, last=1, start=plot.bottom, end=plot.top)
    marks: list[Mark] = []
    for one in weeks:
        left, right = days.edge(one.week) + 1, days.edge(one.week + timedelta(days=7)) - 1
        for place, n in enumerate(one.bins):
            if n:
                share = n / one.n_notes
                title = (
                    f"week of {say_day(one.week)}: {share:.0%} at {place / N_BINS:.1f} to {(place + 1) / N_BINS:.1f}"
                )
                cell = rect("heat", left, scores(place / N_BINS), right, scores((place + 1) / N_BINS), title=title)
                place_and_shade = {**cell.place, "fill-opacity": f"{0.12 + 0.88 * share:.2f}"}
                marks.append(Mark(tag=cell.tag, kind=cell.kind, place=place_and_shade, title=title))
        marks.append(line("recent", left, scores(one.mean), right, scores(one.mean), title=f"mean {one.mean:.2f}"))
    marks += draw_value_axis(scores, plot, (0, 0.5, 1), say=say_number)
    marks += draw_day_axis(days, plot)
    means = f"from {weeks[0].mean:.2f} in the first to {weeks[-1].mean:.2f} in the last week"
    return Figure(
        name=f"weeks-{label}-{width}",
        title=f"Scores of {label}, week by week",
        text=f"Mean {means}; the table beneath has each week.",
        width=width,
        height=132,
        marks=tuple(marks),
    )


def draw_curves(curves: Curves, *, width: int) -> Figure:
    """Draw which share of simulated persons is flagged up to each monitored day."""
    is_narrow = width == WIDTHS[1]
    plot = Plot(left=44, right=width - (12 if is_narrow else 196), top=8, bottom=208)
    n_days = max(len(shares) for shares in curves.shares.values())
    days = Scale(first=1, last=n_days, start=plot.left, end=plot.right)
    shares_scale = Scale(first=0, last=1, start=plot.bottom, end=plot.top)
    marks = draw_value_axis(
        shares_scale, plot, (0.05, 0.25, 0.5, 0.75, 1), say=lambda share: f"{share:.0%}", least_px=9
    )
    marks.append(line("axis", plot.left, plot.bottom, plot.right, plot.bottom))
    for day in range(15, n_days + 1, 15):
        marks.append(words("tick", days(day), plot.bottom + 17, str(day), anchor="end" if day == n_days else "middle"))
    lowest = plot.bottom + 14.0
    for place, (name, shares) in sorted(enumerate(curves.shares.items()), key=lambda item: item[1][1][-1]):
        places = [(days(day), shares_scale(share)) for day, share in enumerate(shares, start=1)]
        marks.append(path(f"curve curve-{place}", places))
        if not is_narrow:
            lowest = min(places[-1][1] + 4, lowest - 14)
            marks.append(words("tick", plot.right + 8, lowest, name))
    text = "; ".join(f"{name}: {shares[-1]:.1%} by day {len(shares)}" for name, shares in curves.shares.items())
    return Figure(
        name=f"curves-{width}",
        title="Share of simulated persons flagged so far",
        text=text,
        width=width,
        height=236,
        marks=tuple(marks),
    )


def _draw_output_day(day: DayOutput, days: DayScale, counts: Scale) -> Mark:
    edge, gap = days.edge(day.day), min(days.width * 0.15, 2)
    title = f"{say_day(day.day)}: {day.n_notes} notes"
    return rect("note scored", edge + gap, counts(0), edge + days.width - gap, counts(day.n_notes), title=title)
