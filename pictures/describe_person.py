"""Names everything that the template of a person's page asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pictures.axes import say_day
from pictures.marks import Figure
from pictures.person import Measure, PersonPage
from pictures.person_figures import WIDTHS, count_notes, draw_coverage, draw_measure, draw_mix
from pictures.person_words import HIDDEN, list_states, say_level, say_name, say_own, say_recent, say_state, say_why
from pictures.voice_words import INTRODUCTION, VOICE_WORDS

_COVERAGE_HEAD = ("day", "scored", "of them uncertain", "no speech", "failed", "pending", "minutes of speech")
_DAYS_HEAD = ("day", "level", "one standard error below", "above", "scored notes", "model")


def describe_person(page: PersonPage) -> dict[str, Any]:
    """Return words, figures and rows of a person's page."""
    coverage = in_widths(lambda width: draw_coverage(page, width=width))
    mix = page.mix
    states = list_states(page.measures, page.settings, unread=page.unread)
    of_voice = list_states(page.voice, page.settings, unread=page.unread_voice)
    is_one_for_all = len(states) < len(page.measures) + len(page.unread)
    is_one_voice = len(of_voice) < len(page.voice) + len(page.unread_voice)
    return {
        "page": page,
        "as_of": say_day(page.as_of, has_year=True),
        "model": page.measures[0].trend.model if page.measures else None,
        "recent_words": say_recent(page),
        "own_words": say_own(page.own),
        "states": states,
        "hidden": HIDDEN,
        "mix": None if mix is None else in_widths(lambda width: draw_mix(mix, width=width)),
        "coverage": coverage,
        "coverage_words": coverage[0].text,
        "coverage_head": _COVERAGE_HEAD,
        "coverage_rows": _list_coverage(page),
        "measures": [_describe_measure(measure, page, is_told=is_one_for_all) for measure in page.measures],
        "voice": {
            "introduction": INTRODUCTION,
            "states": of_voice,
            "measures": [_describe_measure(measure, page, is_told=is_one_voice) for measure in page.voice],
        },
    }


def in_widths(draw: Callable[[int], Figure]) -> tuple[Figure, ...]:
    """Draw a figure for a desk and for a telephone."""
    return tuple(draw(width) for width in WIDTHS)


def _describe_measure(measure: Measure, page: PersonPage, *, is_told: bool) -> dict[str, Any]:
    shown = sorted((day for day in measure.days if day.level is not None), key=lambda day: (day.day, day.model))
    return {
        "name": say_name(measure.name),
        "meaning": VOICE_WORDS[measure.name].meaning if measure.is_of_voice else None,
        "state": None if is_told else say_state(measure, page.settings).removesuffix("."),
        "why": say_why(measure, page.settings),
        "figures": in_widths(lambda width: draw_measure(measure, page, width=width)),
        "has_baseline": measure.trend.baseline is not None,
        "has_chart": len(measure.trend.chart) > 1,
        "has_other": any(day.model != measure.trend.model for day in shown),
        "head": _DAYS_HEAD,
        "rows": [
            (
                day.day.isoformat(),
                say_level(day.level, measure.name),
                *(say_level(day.level + side * day.error, measure.name) if day.error else "" for side in (-1, 1)),
                day.n_scored,
                day.model,
            )
            for day in shown
            if day.level is not None
        ],
    }


def _list_coverage(page: PersonPage) -> list[tuple[Any, ...]]:
    rows = []
    for day in page.days:
        counts = count_notes(day)
        rest = (counts["uncertain"], counts["silent"], counts["failed"], counts["pending"])
        rows.append((day.day.isoformat(), day.n_scored, *rest, f"{day.speech_s / 60:.1f}"))
    return rows
