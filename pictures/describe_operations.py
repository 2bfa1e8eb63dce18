"""Names everything that the template of the operator's page asks for."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from db.reasons import JobState
from db.schema import EMOTIONS
from pictures.axes import say_day
from pictures.describe_person import in_widths
from pictures.drift_figures import HEAD, draw_nights, list_rows
from pictures.operations import OperationsPage, read_curves
from pictures.operations_figures import draw_bars, draw_curves, draw_output, draw_weeks
from pictures.operations_words import UNFINISHED, find_drift, list_sentences

_KINDS = {JobState.PENDING: "silent", JobState.QUEUED: "uncertain", JobState.RUNNING: "scored"}
_MS_PER_HOUR = 3_600_000


def describe_operations(page: OperationsPage) -> dict[str, Any]:
    """Return words, figures and rows of the operator's page."""
    at = page.at.astimezone(UTC)
    curves = read_curves()
    return {
        "page": page,
        "at": f"{say_day(at.date(), has_year=True)} {at:%H:%M} UTC",
        "sentences": list_sentences(page),
        "work": _describe_work(page),
        "output": in_widths(lambda width: draw_output(page, width=width)),
        "output_rows": [
            (day.day.isoformat(), day.n_notes, f"{day.duration_ms / _MS_PER_HOUR:.2f}") for day in page.output
        ],
        "failures": _describe_failures(page),
        "coverage": _describe_coverage(page),
        "drift": _describe_drift(page),
        "nights": _describe_nights(page),
        "curves": in_widths(lambda width: draw_curves(curves, width=width)),
        "curve_names": list(curves.shares),
        "curve_words": (
            f"From left to right: days since the baseline. {curves.n_people} simulated persons a curve, {curves.baseline_days} "
            "baseline days (the textbook's EWMA: 28), "
            f"made by {curves.made_by}."
        ),
        "curve_rows": [
            (day, *(f"{shares[day - 1]:.1%}" for shares in curves.shares.values())) for day in (7, 14, 28, 45, 60, 90)
        ],
    }


def _describe_nights(page: OperationsPage) -> dict[str, Any] | None:
    if page.nights is None:
        return None
    nights = page.nights
    is_measured = any(night.measures for night in nights)
    figures = in_widths(lambda width: draw_nights(nights, width=width)) if is_measured else None
    return {"figures": figures, "head": HEAD, "rows": list_rows(nights)}


def _describe_work(page: OperationsPage) -> dict[str, Any]:
    rows: dict[str, dict[str, int]] = {}
    for one in page.lanes:
        if one.state in UNFINISHED:
            rows.setdefault(one.lane.value.lower(), {})[_KINDS[one.state]] = one.n
    table = [(one.lane.value.lower(), one.state.value.lower(), one.n) for one in page.lanes]
    title = "Unfinished jobs by lane"
    return {
        "figures": in_widths(lambda width: draw_bars("work", rows, title=title, width=width)) if rows else None,
        "rows": table,
    }


def _describe_failures(page: OperationsPage) -> dict[str, Any]:
    rows = {f"{one.reason}, {one.model}": {"failed": one.n} for one in page.failures}
    title = "Failed live recordings by reason"
    return {
        "figures": in_widths(lambda width: draw_bars("failures", rows, title=title, width=width)) if rows else None,
        "rows": [(one.reason, one.model, one.n) for one in page.failures],
    }


def _describe_coverage(page: OperationsPage) -> dict[str, Any]:
    rows = {
        f"{one.model}{', active' if one.is_active else ''}": {
            "scored": one.n_scored,
            "silent": one.n_no_speech,
            "failed": one.n_failed + one.n_cancelled,
            "pending": one.n_pending,
        }
        for one in page.coverage
    }
    total = max([one.n_recordings for one in page.coverage] or [1])
    title = "Live recordings by what each model made of them"
    table = [
        (
            one.model,
            one.n_recordings,
            one.n_scored,
            one.n_no_speech,
            one.n_failed + one.n_cancelled,
            one.n_pending,
            one.n_without_job,
        )
        for one in page.coverage
    ]
    figures = in_widths(lambda width: draw_bars("coverage", rows, title=title, width=width, total=total))
    return {"figures": figures if rows else None, "rows": table}


def _describe_drift(page: OperationsPage) -> list[dict[str, Any]]:
    indices = find_drift(page)
    found = []
    for label in EMOTIONS:
        weeks = page.weeks_of(label)
        if weeks:
            index = "" if label not in indices else f", stability index {indices[label]:.2f}"
            figures = tuple(draw_weeks(label, weeks, width=width) for width in (880, 336))
            rows = [
                (
                    one.week.isoformat(),
                    one.n_notes,
                    f"{one.mean:.2f}",
                    f"{one.n_uncertain / one.n_notes:.0%}",
                    *one.bins,
                )
                for one in weeks
            ]
            found.append({"name": f"{label.capitalize()}{index}", "figures": figures, "rows": rows, "label": label})
    return found
