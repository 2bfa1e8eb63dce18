"""What is kept of a person, in words: relative scores and trends; prints nothing.

Everything is of expressed emotion in the voice as the model hears it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from db.people_rows import RelativeResult, SubjectTrend
from db.reasons import BaselineState, TrendState
from db.rows import Model

if TYPE_CHECKING:  # numpy comes with it, which most commands on rows do not need
    from trends import TrendSettings

HIDDEN = "A baseline hides what never changes: somebody who always sounds sad looks ordinary here. The scores show it."
_S_PER_MIN = 60
# Of each reason: which part of the evidence lacks, and by which settings it is counted.
_LACKS = {
    "too_few_baseline_days": ("baseline", "days", "baseline_days"),
    "too_few_baseline_notes": ("baseline", "notes", "baseline_notes"),
    "too_little_baseline_speech": ("baseline", "speech_s", "baseline_speech_s"),
    "too_few_recent_days": ("recent", "days", "recent_min_days"),
    "too_few_recent_notes": ("recent", "notes", "recent_min_notes"),
    "too_little_recent_speech": ("recent", "speech_s", "recent_min_speech_s"),
}
_SHIFTS = {TrendState.SHIFTED_UP, TrendState.SHIFTED_DOWN}


def needed_notes(model: Model) -> int | None:
    """Return how many earlier notes a relative score needs; None where the model has no baseline rule."""
    section = model.manifest.get("baseline")
    return None if section is None else int(section["rule"]["min_notes"])


def describe_relative(found: RelativeResult | None, *, model: Model) -> str | None:
    """Say what is unusual of a note for its person; None where the model has no baseline rule, or the note no person.

    Args:
        found: of the note.
        model: that scored it.
    """
    needed = needed_notes(model)
    if needed is None or found is None:
        return None
    if found.scores is None or found.label is None:
        return f"too few earlier notes of this person yet: {found.n_notes} of {needed}"
    scores = found.scores
    said = ", ".join(f"{name} {scores[name]:.2f}" for name in model.labels if name in scores)
    unsure = " (uncertain)" if found.is_uncertain else ""
    return f"{found.label}{unsure}; {said}; against the person's first {found.n_notes} notes"


def relative_cell(found: RelativeResult | None) -> str:
    """Return the relative label as a cell; empty where too little is known of the person."""
    if found is None or found.label is None:
        return ""
    return f"{found.label}?" if found.is_uncertain else found.label


def as_json(found: RelativeResult | None) -> dict[str, Any]:
    """Return relative scores as plain JSON; state and number of earlier notes are always there."""
    if found is None:
        state, n_notes = BaselineState.INSUFFICIENT, 0
        return {
            "state": state.value,
            "n_notes": n_notes,
            **dict.fromkeys(("scores", "label", "confidence", "is_uncertain")),
        }
    return {
        "state": found.state.value,
        "n_notes": found.n_notes,
        "scores": None if found.scores is None else dict(found.scores),
        "label": found.label,
        "confidence": found.confidence,
        "is_uncertain": found.is_uncertain,
    }


def describe_trends(trends: Sequence[SubjectTrend], settings: TrendSettings) -> list[str]:
    """Say how a person's recent days are, what is unusual first; one line where nothing can be said of any measure."""
    lines = {trend.measure: _describe(trend, settings) for trend in trends}
    if len(set(lines.values())) == 1:
        return [f"Trend: {next(iter(lines.values()))}."]
    order = sorted(trends, key=lambda trend: (trend.state not in _SHIFTS, trend.measure))
    return [f"Trend of {trend.measure}: {lines[trend.measure]}." for trend in order]


def _describe(trend: SubjectTrend, settings: TrendSettings) -> str:
    if trend.state in _SHIFTS:
        from trends import find_measure  # noqa: PLC0415 - as above

        measure = find_measure(trend.measure)
        words = measure.more if trend.state is TrendState.SHIFTED_UP else measure.less
        return f"{words} than is usual for this person, since about {trend.since}"
    if trend.state is TrendState.STABLE:
        return f"as is usual for this person, as of {trend.as_of}"
    return _describe_lack(trend.reason, trend.trend["evidence"], settings)


def _describe_lack(reason: str, evidence: Mapping[str, Mapping[str, float]], settings: TrendSettings) -> str:
    if reason not in _LACKS:
        return "the notes lie too far apart for a baseline"
    part, name, needed = _LACKS[reason]
    when = f" in the last {settings.recent_days} days" if part == "recent" else ""
    there, least = evidence[part][name], getattr(settings, needed)
    if name == "speech_s":
        return f"too little speech yet: {there / _S_PER_MIN:.1f} of {least / _S_PER_MIN:.0f} minutes{when}"
    few = "too few recent notes" if part == "recent" else "too few notes yet"
    return f"{few}: {there:.0f} of {least} {name}{when}"
