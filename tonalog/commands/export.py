"""`tonalog export`: scores as files, for spreadsheets, data frames, clinics and the person they are about."""

from __future__ import annotations

import shutil
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import click

from config.settings import Settings
from db import Engine, people
from db.person_rows import StoredObject
from db.snapshot import Selection
from exports.person import Keeping
from exports.write import Format, Options, Written, write_export
from storage.open import open_bucket
from tonalog.errors import TonalogError
from tonalog.report import when
from tonalog.screen import say
from tonalog.session import choose_tenant, find_subject, open_database, say_nobody

_EPILOG = """\b
Examples:
  tonalog export --format csv --out scores
  tonalog export --format parquet --out march.zip --since 2026-03-01 --until 2026-03-31
  tonalog export --format jsonl --out ana --subject ana
  tonalog export --format person --out ana.zip --subject ana --with-audio
"""
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command(name="export", epilog=_EPILOG)
@click.argument("run", required=False, type=click.Path(path_type=Path), metavar="")
@click.option("--version", "of_bundle", hidden=True)  # `tonalog bundle` had this command's name, and always this option
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    help="As what; docs/exports.md describes each.",
)
@click.option(
    "--out", "target", type=click.Path(path_type=Path), help="A new folder, or a ZIP where the name ends in .zip."
)
@click.option("--tenant", help="Whose notes; TONALOG_TENANT or 'default' if not given.")
@click.option("--subject", help="Only this person, by a present or former name.")
@click.option("--since", type=_DAY, help="First local day, such as 2026-03-01. Notes without a time are left out.")
@click.option("--until", type=_DAY, help="Last local day, itself included.")
@click.option("--model", help="VERSION or NAME-VERSION; the active one if not given.")
@click.option(
    "--with-keys", "has_keys", is_flag=True, help="With audformat: storage keys as names of files; they may hold names."
)
@click.option("--with-audio", "has_audio", is_flag=True, help="With person: the recordings too, copied from storage.")
def export_command(
    *,
    run: Path | None,
    of_bundle: str | None,
    form: str | None,
    target: Path | None,
    tenant: str | None,
    subject: str | None,
    since: datetime | None,
    until: datetime | None,
    model: str | None,
    has_keys: bool,
    has_audio: bool,
) -> None:
    """Write notes, segments, days and trends of one tenant into files.

    They show one moment of the database. Whoever ends this early finds nothing under --out.
    """
    if run is not None or of_bundle is not None:
        raise TonalogError(
            "An export takes no RUN and no --version: to write a trained run as a bundle, use `tonalog bundle`."
        )
    if form is None or target is None:
        allowed = ", ".join(form.value for form in Format)
        raise TonalogError(f"Give --format ({allowed}) and --out (a new folder, or a name that ends in .zip).")
    if since is not None and until is not None and until < since:
        raise TonalogError(f"--until {until:%Y-%m-%d} is before --since {since:%Y-%m-%d}: give it a later day.")
    if has_audio and form != Format.PERSON:
        raise TonalogError(f"--with-audio does not apply to --format {form}: only {Format.PERSON} has audio.")
    if has_keys and form != Format.AUDFORMAT:
        raise TonalogError(f"--with-keys does not apply to --format {form}: only {Format.AUDFORMAT} names files.")
    settings = Settings.read()
    engine = open_database(settings)
    whose = choose_tenant(settings, tenant)
    chosen = Selection(
        tenant=whose,
        subject=None if subject is None else _find(engine, settings, subject, tenant=whose),
        since=None if since is None else since.date(),
        until=None if until is None else until.date(),
    )
    options = Options(
        version=version("tonalog"),
        model=model,
        has_keys=has_keys,
        keeping=Keeping(retention_days=settings.retention_days, api_audit_days=settings.api_audit_days),
        copy_audio=partial(_copy_audio, settings) if has_audio else None,
    )
    written = write_export(engine, chosen, target, form=Format(form), options=options)
    _report(written, target)


def _find(engine: Engine, settings: Settings, subject: str, *, tenant: str) -> str:
    found = find_subject(engine, settings, subject, tenant=tenant)
    if not people.is_known(engine, tenant, found):
        raise TonalogError(say_nobody(engine, settings, subject, tenant=tenant))
    return found


def _copy_audio(settings: Settings, place: StoredObject, file: BinaryIO) -> None:
    store = open_bucket(settings, place.store, place.bucket)
    with store.open(place.key, version_tag=place.version_tag, size_bytes=place.size_bytes) as opened:
        shutil.copyfileobj(opened.file, file)


def _report(written: Written, target: Path) -> None:
    counts = ", ".join(f"{n} {name}" for name, n in written.n_rows.items())
    say(f"{target}: {counts}, as of {when(written.taken_at)} UTC")
    if written.n_behind:
        say(
            f"Days and trends do not show the newest notes yet (people: {written.n_behind}); the scheduler makes them anew."
        )
