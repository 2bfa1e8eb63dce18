"""`tonalog subjects rehash`: from names in the database to keyed hashes of them; prints no name."""

from __future__ import annotations

import click

from config.settings import Settings
from db import subject_keys
from db.engine import scrub
from storage.pseudonyms import SubjectNaming
from tonalog.errors import TonalogError
from tonalog.session import open_database


@click.group(name="subjects")
def subjects_command() -> None:
    """Choose how people are written in the database."""


@subjects_command.command(name="rehash", epilog="Example: TONALOG_SUBJECT_KEY=$(cat key) tonalog subjects rehash")
def rehash() -> None:
    """Store every person's name as a keyed hash under TONALOG_SUBJECT_KEY; there is no way back.

    Set the key for the scheduler too, and keep it safe: without it nobody can be found by name, and another key is
    refused. Object keys stay as they are, so names in them stay too.
    """
    settings = Settings.read()
    naming = SubjectNaming.of(settings)
    if naming.fingerprint is None:
        raise TonalogError("TONALOG_SUBJECT_KEY is not set: give a secret of 32 characters, `openssl rand -hex 32`.")
    engine = open_database(settings)
    n_people = subject_keys.rehash(engine, naming.fingerprint, store=naming.store)
    scrub(engine)
    click.echo(f"{n_people} people are stored under the key now.")
