"""Draw what was found about groups as one page of HTML in the style of all reports; it measures nothing."""

from __future__ import annotations

from collections.abc import Sequence

from training.escaping import escape_html
from training.measures.page import render_table, wrap_page
from training.measures.pictures import draw_line, frame_picture, write_text
from training.measures.slices.found import Slice, SliceReport
from training.measures.slices.text import (
    CAVEAT,
    conclude,
    explain_spread,
    list_differences,
    list_slices,
    list_spread,
    name_slice,
    write_protocol,
)

N_TINTS = 4  # Of the style sheet; CREMA-D has at most three groups to an attribute.
TICK = 0.05
MAX_ERROR_DRAWN = 0.25


def render_slices(report: SliceReport, *, title: str, min_speakers: int) -> str:
    """Return the page.

    Args:
        report: what to say.
        title: what was tested, for instance a model's name.
        min_speakers: that a group needs to be compared.
    """
    everyone = (report.whole, *report.slices)
    sections = [
        f"<h1>{escape_html(title)}</h1>",
        f'<p class="lead">{write_protocol(report, min_speakers=min_speakers)}</p>',
    ]
    sections.append(
        f"<h2>Which differences are more than chance</h2><p>{escape_html(conclude(report))}</p><p>{CAVEAT}</p>"
    )
    sections += [
        f'<h2>{escape_html(measure)}</h2><figure class="wide">{draw_forest(everyone, measure)}</figure>'
        for measure in report.whole.figures
    ]
    sections.append("<h2>Groups</h2>" + render_table(*list_slices(report)))
    sections.append("<h2>Differences</h2>" + render_table(*list_differences(report)))
    sections.append("<h2>Risk and coverage</h2><p class='note'>Share of utterances that are sure enough, and how many")
    sections.append(f"of them are wrong; the dot is a confidence of {report.uncertain_below:.2f}.</p>")
    attributes = dict.fromkeys(one.attribute for one in everyone)
    drawn = [[one for one in everyone if one.attribute == attribute] for attribute in attributes]
    pictures = "".join(f"<figure>{draw_risk(group, report.uncertain_below)}</figure>" for group in drawn)
    sections.append(f'<div class="pair">{pictures}</div>')
    sections.append("<h2>Speaker by speaker</h2>" + render_table(*list_spread(report.spread)))
    sections.append(f'<p class="note">{explain_spread(report.spread)}</p>')
    return wrap_page(title, sections)


def draw_forest(slices: Sequence[Slice], measure: str) -> str:
    """Draw one dot a group with its interval, over an axis that just holds them all."""
    left, width, step, top = 190, 460, 30, 8
    figures = [one.figures[measure] for one in slices]
    first = int(min(figure.interval.low for figure in figures) / TICK)
    last = int(max(figure.interval.high for figure in figures) / TICK) + 1
    scale = width / ((last - first) * TICK)
    height = top + step * len(slices)
    parts: list[str] = []
    for tick in range(first, last + 1):
        x = left + (tick - first) * TICK * scale
        parts.append(draw_line("grid", (x, top), (x, height)))
        parts.append(write_text(x, height + 18, f"{tick * TICK:.2f}", anchor="middle", kind="soft"))
    for row, (one, figure) in enumerate(zip(slices, figures, strict=True)):
        y = top + step * (row + 0.5)
        x = left + (figure.value - first * TICK) * scale
        parts.append(write_text(left - 14, y + 4, name_slice(one), anchor="end"))
        low, high = (left + (end - first * TICK) * scale for end in (figure.interval.low, figure.interval.high))
        parts.append(draw_line("whisker", (low, y), (high, y)))
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="6"/>')
        parts.append(write_text(left + width + 14, y + 4, f"{figure.value:.3f}"))
    return frame_picture(left + width + 70, height + 26, f"{measure} by group", parts)


def draw_risk(slices: Sequence[Slice], uncertain_below: float) -> str:
    """Draw the risk-coverage curves of an attribute's groups, with a dot at the limit of what is certain."""
    side, left, top = 300, 48, 10
    parts: list[str] = []
    for tick in range(6):
        x, y = left + tick / 5 * side, top + (1 - tick / 5) * side
        parts += [draw_line("grid", (left, y), (left + side, y)), draw_line("grid", (x, top), (x, top + side))]
        parts.append(write_text(left - 8, y + 4, f"{tick / 5 * MAX_ERROR_DRAWN:.2f}", anchor="end", kind="soft"))
        parts.append(write_text(x, top + side + 18, f"{tick / 5:.1f}", anchor="middle", kind="soft"))
    for number, one in enumerate(slices):
        tint = number % N_TINTS
        points = [
            (threshold, left + coverage * side, top + (1 - min(error / MAX_ERROR_DRAWN, 1.0)) * side)
            for threshold, coverage, error in one.curve
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for _, x, y in points)
        parts.append(f'<polyline class="line tint{tint}" points="{path}"/>')
        limit = [(x, y) for threshold, x, y in points if threshold <= uncertain_below]
        parts += [f'<circle class="fill{tint}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>' for x, y in limit[-1:]]
        y = top + side + 58 + 20 * number
        parts.append(f'<rect class="fill{tint}" x="{left}" y="{y - 10}" width="12" height="12"/>')
        parts.append(write_text(left + 20, y, name_slice(one)))
    parts.append(write_text(left + side / 2, top + side + 36, "coverage → error ↑", anchor="middle", kind="soft"))
    return frame_picture(left + side + 24, top + side + 50 + 20 * len(slices), "risk and coverage", parts)
