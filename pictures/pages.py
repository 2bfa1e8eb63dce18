"""Writes pages: records go in, whole HTML comes out, with everything that the page needs inside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pictures.axes import say_day
from pictures.marks import Figure
from pictures.person import Measure, PersonPage
from pictures.person_figures import WIDTHS, count_notes, draw_coverage, draw_measure, draw_mix
from pictures.person_words import (
    HIDDEN,
    MEANING,
    list_states,
    say_level,
    say_mix,
    say_name,
    say_own,
    say_state,
    say_why,
)

_COVERAGE_HEAD = ("day", "scored", "of them uncertain", "no speech", "failed", "pending", "minutes of speech")


def render_person(page: PersonPage) -> str:
    """Write a person's page."""
    return _environment().get_template("person.html").render(**_describe_person(page))


def content_security_policy() -> str:
    """Return the policy that a page is served with: its own style sheet, embedded sound, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_read_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; media-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _describe_person(page: PersonPage) -> dict[str, Any]:
    coverage = _in_widths(lambda width: draw_coverage(page, width=width))
    model = page.measures[0].trend.model if page.measures else None
    return {
        "page": page,
        "as_of": say_day(page.as_of, has_year=True),
        "model": model,
        "mix_words": None if page.mix is None else say_mix(page.mix),
        "own_words": say_own(page.own),
        "states": list_states(page),
        "meaning": MEANING,
        "hidden": HIDDEN,
        "mix": None if (mix := page.mix) is None else _in_widths(lambda width: draw_mix(mix, width=width)),
        "coverage": coverage,
        "coverage_words": coverage[0].text,
        "coverage_head": _COVERAGE_HEAD,
        "coverage_rows": _list_coverage(page),
        "measures": [_describe_measure(measure, page) for measure in page.measures],
    }


def _describe_measure(measure: Measure, page: PersonPage) -> dict[str, Any]:
    shown = sorted((day for day in measure.days if day.level is not None), key=lambda day: (day.day, day.model))
    return {
        "name": say_name(measure.name),
        "state": say_state(measure, page.settings).removesuffix("."),
        "why": say_why(measure, page.settings),
        "figures": _in_widths(lambda width: draw_measure(measure, page, width=width)),
        "has_baseline": measure.trend.baseline is not None,
        "has_chart": len(measure.trend.chart) > 1,
        "has_other": any(day.model != measure.trend.model for day in shown),
        "head": ("day", "level", "one standard error below", "above", "scored notes", "model"),
        "rows": [
            (
                day.day.isoformat(),
                say_level(day.level, measure.unit),
                *(say_level(day.level + side * day.error, measure.unit) if day.error else "" for side in (-1, 1)),
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


def _in_widths(draw: Callable[[int], Figure]) -> tuple[Figure, ...]:
    return tuple(draw(width) for width in WIDTHS)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pictures"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    environment.globals["style"] = Markup(_read_style())  # noqa: S704 - our own file
    return environment


@cache
def _read_style() -> str:
    return files("pictures").joinpath("templates/style.css").read_text(encoding="utf-8")
