"""`tonalog subjects`: who is in the database, other names for them, and keyed hashes in place of names."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict

import click

from config.settings import Settings
from db import people, subject_keys
from db.residue import scrub
from storage.identity import MAX_SUBJECT_CHARACTERS, REFUSED_CATEGORIES
from storage.pseudonyms import SubjectNaming, normalise
from tonalog.errors import TonalogError
from tonalog.residue import tell_residue
from tonalog.screen import new_table, say, say_json, show
from tonalog.session import choose_tenant, open_database

_TENANT = click.option("--tenant", help="Whose people; TONALOG_TENANT or 'default' if not given.")
_DRY_RUN = click.option("--dry-run", "is_dry_run", is_flag=True, help="Only say how many recordings would change.")
_MERGE_EPILOG = """\b
Examples:
  tonalog subjects merge anna ANA --into ana --dry-run
  tonalog subjects merge anna ANA --into ana
"""


@click.group(name="subjects")
def subjects_command() -> None:
    """List people, correct their names, and choose how they are written in the database."""


@subjects_command.command(name="list", epilog="Example: tonalog subjects list --json | jq '.[].subject'")
@click.option("--tenant", help="Only this tenant's people.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_all(*, tenant: str | None, as_json: bool) -> None:
    """List every person with recordings: how many, and the first and last day by the recorders' calendars."""
    found = people.list_people(open_database(Settings.read()), tenant=tenant)
    if as_json:
        say_json([asdict(person) for person in found])
        return
    table = new_table("People", ["person", "tenant", "notes", "first day", "last day"], right=["notes"])
    for person in found:
        days = [day.isoformat() if day else "unknown" for day in (person.first_day, person.last_day)]
        table.add_row(person.subject, person.tenant, str(person.n_notes), *days)
    show(table)


@subjects_command.command(name="rename", epilog="Example: tonalog subjects rename user-17 ana")
@click.argument("old")
@click.argument("new")
@_TENANT
@_DRY_RUN
def rename(old: str, new: str, *, tenant: str | None, is_dry_run: bool) -> None:
    """Give the person OLD the name NEW, in the past and in scans to come. Trends follow, results stay.

    OLD goes on meaning this person, in storage and in commands.
    """
    settings = Settings.read()
    naming = SubjectNaming.of(settings)
    named = _clean(new)
    n_recordings = people.rename(
        open_database(settings),
        naming.find(old),
        naming.find(named),
        tenant=choose_tenant(settings, tenant),
        subject_key=naming.fingerprint,
        is_dry_run=is_dry_run,
    )
    say(f"{n_recordings} recordings {'would have' if is_dry_run else 'have'} the new name.")


@subjects_command.command(name="merge", epilog=_MERGE_EPILOG)
@click.argument("sources", nargs=-1, required=True, metavar="FROM...")
@click.option("--into", required=True, metavar="NAME", help="The person who is left.")
@_TENANT
@_DRY_RUN
def merge(sources: tuple[str, ...], *, into: str, tenant: str | None, is_dry_run: bool) -> None:
    """Make one person of several; there is no way back. Trends follow, results stay.

    The names FROM go on meaning the person who is left, in storage and in commands.
    """
    settings = Settings.read()
    naming = SubjectNaming.of(settings)
    n_recordings = people.merge(
        open_database(settings),
        [naming.find(source) for source in sources],
        naming.find(into),
        tenant=choose_tenant(settings, tenant),
        subject_key=naming.fingerprint,
        is_dry_run=is_dry_run,
    )
    say(f"{n_recordings} recordings {'would be' if is_dry_run else 'are'} that person's now.")


@subjects_command.command(name="rehash", epilog="Example: TONALOG_SUBJECT_KEY=$(cat key) tonalog subjects rehash")
def rehash() -> None:
    """Store every person's name as a keyed hash under TONALOG_SUBJECT_KEY; there is no way back.

    Set the key for the scheduler too, and keep it safe: without it nobody can be found by name, and another key is
    refused. Object keys stay as they are, so names in them stay too, in tables that app backends cannot read.
    """
    settings = Settings.read()
    naming = SubjectNaming.of(settings)
    if naming.fingerprint is None:
        raise TonalogError("TONALOG_SUBJECT_KEY is not set: give a secret of 32 characters, `openssl rand -hex 32`.")
    engine = open_database(settings)
    n_people = subject_keys.rehash(engine, naming.fingerprint, store=naming.store)
    residue = scrub(engine)
    say(f"{n_people} people are stored under the key now.")
    tell_residue(residue)


def _clean(name: str) -> str:
    """Hold a name that is typed here to what names in storage are held to."""
    subject = normalise(name)
    has_bad = any(unicodedata.category(character) in REFUSED_CATEGORIES for character in subject)
    if has_bad or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
        allowed = f"1 to {MAX_SUBJECT_CHARACTERS} characters, no control character"
        raise TonalogError(f"{name!r} cannot be a name: allowed are {allowed}.")
    return subject
