"""Writes pages: records go in, whole HTML comes out, with everything that the page needs inside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pictures.describe_comparison import describe_comparison
from pictures.describe_note import describe_note
from pictures.describe_operations import describe_operations
from pictures.describe_person import describe_person
from pictures.note import NotePage
from pictures.operations import OperationsPage
from pictures.person import PersonPage
from pictures.person_words import HIDDEN, MEANING
from trends.comparing import Breach, Comparison


def render_person(page: PersonPage) -> str:
    """Write a person's page."""
    return _environment().get_template("person.html").render(**describe_person(page))


def render_people(people: Sequence[PersonPage], *, title: str, remark: str) -> str:
    """Write one page on several persons, with a sentence on where their notes come from."""
    described = [describe_person(person) for person in people]
    template = _environment().get_template("people.html")
    return template.render(people=described, title=title, remark=remark, hidden=HIDDEN)


def render_note(page: NotePage) -> str:
    """Write a note's page."""
    return _environment().get_template("note.html").render(**describe_note(page))


def render_operations(page: OperationsPage) -> str:
    """Write the operator's page."""
    return _environment().get_template("operations.html").render(**describe_operations(page))


def render_comparison(found: Comparison, breaches: Sequence[Breach], *, at: datetime, scope: str) -> str:
    """Write the page on two versions of a model; `scope` says which recordings were compared."""
    described = describe_comparison(found, breaches, at=at, scope=scope)
    return _environment().get_template("comparison.html").render(**described)


def content_security_policy() -> str:
    """Return the policy that a page is served with: its own style sheet, embedded sound, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_read_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; media-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


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
    environment.globals["meaning"] = MEANING
    return environment


@cache
def _read_style() -> str:
    return files("pictures").joinpath("templates/style.css").read_text(encoding="utf-8")
