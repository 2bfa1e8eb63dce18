"""The options by which somebody says who speaks in recordings and when, the same for every command that reads them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from config.settings import Settings
from scheduler.naming import IntakeOptions
from storage.identity import MAX_SUBJECT_CHARACTERS, clean_name
from storage.layouts import compile_layouts
from tonalog.errors import TonalogError
from tonalog.screen import say

if TYPE_CHECKING:
    from scheduler.nightly import NightResult  # loads Celery

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--pattern",
        "patterns",
        multiple=True,
        metavar="P",
        help="How to read keys: a pattern such as {subject}/{recorded_at}..., or a ready-made name; may be given again, "
        "the first that finds something counts.",
    ),
    click.option("--manifest", metavar="FILE", help="Table of who spoke and when: CSV, JSON Lines or an s3:// URL."),
    click.option("--subject", metavar="NAME", help="Whose voice all of these recordings are."),
    click.option("--tenant", metavar="NAME", help="Whose recordings all of these are."),
    click.option("--zone", metavar="ZONE", help="Zone of times that name none, such as Europe/Berlin."),
)


def intake_options(command: _Command) -> _Command:
    """Give a command the options; it gets them as `patterns`, `manifest`, `subject`, `tenant` and `zone`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_options(
    *, patterns: tuple[str, ...], manifest: str | None, subject: str | None, tenant: str | None, zone: str | None
) -> IntakeOptions:
    """Check what was given.

    Raises:
        TonalogError: a name cannot be one.
        SettingsError: there is no such zone.
        KeyPatternError: a pattern cannot be used.
    """
    if zone is not None:
        Settings.read(time_zone=zone)
    for pattern in patterns:
        compile_layouts(pattern)
    return IntakeOptions(
        subject=_name("--subject", subject),
        tenant=_name("--tenant", tenant),
        patterns=patterns,
        manifest=manifest,
        zone=zone or None,
    )


def say_unknown(found: NightResult, place: str | None) -> None:
    """Say in one line where nobody or no time could be read, and which command shows why."""
    if not (found.n_without_subject or found.n_without_time):
        return
    command = " ".join(["tonalog identify", *([shlex.quote(place)] if place else [])])
    say(f"{found.n_without_subject} recordings have no person, {found.n_without_time} no time: `{command}` shows why.")


def _name(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    name = clean_name(text)
    if name is None:
        raise TonalogError(
            f"{option} {text!r} is no name: 1 to {MAX_SUBJECT_CHARACTERS} characters and no control character."
        )
    return name
