"""Names everything that the template of two compared versions asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pictures.axes import say_day
from pictures.comparison_figures import draw_confusion, draw_differences, draw_persons, draw_shifts
from pictures.describe_person import in_widths
from trends.comparing import Agreement, Breach, Comparison, Verdict
from trends.comparing.records import BAR, N_BARS, PERSON_BAR, QUANTILES

_LIMITS = {
    "max_disagree": ("Disagreement", "at most"),
    "max_shift": ("Largest shift", "at most"),
    "min_coverage": ("Coverage", "at least"),
}
_AT_QUANTILES = [f"{share:.0%}" for share in QUANTILES]


def describe_comparison(found: Comparison, breaches: Sequence[Breach], *, at: datetime, scope: str) -> dict[str, Any]:
    """Return words, figures and rows of the page on two versions.

    Args:
        found: the comparison.
        breaches: limits that it was held against.
        at: when it was made.
        scope: which recordings were compared.
    """
    moment = at.astimezone(UTC)
    return {
        "found": found,
        "at": f"{say_day(moment.date(), has_year=True)} {moment:%H:%M} UTC",
        "scope": scope,
        "sentences": _list_sentences(found),
        "limits": [_say_limit(one) for one in breaches],
        "is_beyond": any(one.verdict is not Verdict.WITHIN for one in breaches),
        "confusion": in_widths(lambda width: draw_confusion(found, width=width)),
        "confusion_head": [f"{found.a} \\ {found.b}", *found.names],
        "confusion_rows": [(name, *row) for name, row in zip(found.names, found.confusion, strict=True)],
        "shifts": in_widths(lambda width: draw_shifts(found, width=width)) if found.shifts else None,
        "shift_head": ["class", found.a, found.b, "shift", "95 % by person: low", "high", *_AT_QUANTILES],
        "shift_rows": _list_shifts(found),
        "differences": _describe_differences(found),
        "difference_head": ["from", "to", *(shift.label for shift in found.shifts)],
        "difference_rows": _list_differences(found),
        "persons": _describe_persons(found),
        "cost_rows": _list_costs(found),
    }


def _list_sentences(found: Comparison) -> list[tuple[str, str]]:
    speech = found.speech
    kappa = "undefined" if found.kappa is None else f"{found.kappa:.2f}"
    unshared = f" Only one of the versions has {', '.join(found.unshared)}." if found.unshared else ""
    nobody = (
        f" {found.n_without_person} are of nobody known and count as a person each." if found.n_without_person else ""
    )
    coverage = (
        f"{found.n_both} recordings have a result of both, {found.n_only_a} only of {found.a}, {found.n_only_b} only of"
    )
    agreement = f"label, or no speech: {_say_agreement(found.outcomes)}. Label where both hear speech: "
    agreement += f"{_say_agreement(found.labels)}; where none is uncertain: {_say_agreement(found.certain)}."
    uncertain = (
        f"{found.n_uncertain_a} of {found.labels.n} labels under {found.a}, {found.n_uncertain_b} under {found.b}."
    )
    return [
        ("Coverage", f"{coverage} {found.b}.{nobody}"),
        ("Agreement", agreement),
        ("Kappa", f"{kappa}, of the labels where both hear speech.{unshared}"),
        (
            "Speech",
            f"{speech.n_only_a} recordings hold speech for {found.a} only, {speech.n_only_b} for {found.b} only.",
        ),
        ("Uncertain", uncertain),
    ]


def _say_agreement(agreement: Agreement) -> str:
    if agreement.share is None:
        return "no recording"
    if agreement.low is None or agreement.high is None:
        return f"{agreement.share:.1%} of {agreement.n}"
    return f"{agreement.share:.1%} of {agreement.n} ({agreement.low:.1%} to {agreement.high:.1%})"


def _list_shifts(found: Comparison) -> list[tuple[str, ...]]:
    return [
        (
            shift.label,
            f"{shift.mean_a:.3f}",
            f"{shift.mean_b:.3f}",
            f"{shift.shift.mean:+.3f}",
            _say_end(shift.shift.low),
            _say_end(shift.shift.high),
            *(f"{value:+.3f}" for value in shift.quantiles),
        )
        for shift in found.shifts
    ]


def _describe_differences(found: Comparison) -> list[dict[str, Any]]:
    made = []
    for shift in found.shifts:
        figures = tuple(draw_differences(shift, width=width) for width in (880, 336))
        made.append({"name": shift.label.capitalize(), "figures": figures})
    return made


def _list_differences(found: Comparison) -> list[tuple[str, ...]]:
    first = -N_BARS * BAR / 2
    rows = zip(*(shift.bars for shift in found.shifts), strict=True)
    return [
        (f"{first + place * BAR:+.3f}", f"{first + (place + 1) * BAR:+.3f}", *map(str, counts))
        for place, counts in enumerate(rows)
        if any(counts)
    ]


def _describe_persons(found: Comparison) -> dict[str, Any]:
    persons = found.persons
    labels = list(persons.movers[0].shifts) if persons.movers else []
    return {
        "words": (
            f"For each person the class whose mean score moves most. {persons.n_counted} of {persons.n_persons} persons have "
            f"{persons.least_notes} notes or more under both versions and are counted; the mean of fewer is mostly chance."
        ),
        "figures": in_widths(lambda width: draw_persons(persons, width=width)) if persons.n_counted else None,
        "rows": [
            (f"{place * PERSON_BAR:.3f}", f"{(place + 1) * PERSON_BAR:.3f}", n)
            for place, n in enumerate(persons.bars)
            if n
        ],
        "mover_head": ["tenant", "person", "notes", *labels],
        "movers": [
            (move.tenant, move.subject, move.n_notes, *(f"{move.shifts[label]:+.3f}" for label in labels))
            for move in persons.movers
        ],
    }


def _list_costs(found: Comparison) -> list[tuple[str, ...]]:
    return [
        (
            name,
            str(cost.n_measured),
            "not kept" if cost.wall_s_per_hour is None else f"{cost.wall_s_per_hour:.1f}",
            "not kept" if cost.peak_rss_kib is None else f"{cost.peak_rss_kib / 1024:.0f}",
        )
        for name, cost in ((found.a, found.cost_a), (found.b, found.cost_b))
    ]


def _say_limit(breach: Breach) -> tuple[str, str]:
    what, bound = _LIMITS[breach.name]
    value = "nothing to measure" if breach.value is None else f"{breach.value:.4f}"
    of = f" ({breach.of})" if breach.of else ""
    return what, f"{value}{of}; allowed is {bound} {breach.limit:g}: {breach.verdict.value}"


def _say_end(end: float | None) -> str:
    return "-" if end is None else f"{end:+.3f}"
