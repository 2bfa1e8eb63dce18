"""`tonalog identify`: who speaks in each recording and when, from where, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from config import logs
from config.settings import Settings
from db import Engine, recordings, subject_keys
from db.fences import erasure_mark
from db.reasons import ChangeCause
from db.rows import NewRecording
from scheduler.naming import NO_OPTIONS, Naming
from storage.identity import DEFAULT_TENANT, RecordingIdentity
from storage.intake import Identified, Intake, Listed
from storage.open import open_place
from storage.protocol import ObjectStore
from tonalog.errors import TonalogError
from tonalog.intake_options import intake_options, read_options
from tonalog.report import in_local_time, local_time
from tonalog.screen import Cell, message, new_table, say, say_json, show
from tonalog.session import open_database

_EPILOG = """\b
Examples:
  tonalog identify notes/
  tonalog identify s3://notes/2026/ --pattern '{subject}/{recorded_at}...' --pattern whatsapp
  tonalog identify notes/ --manifest people.csv --json > identities.jsonl
  tonalog identify notes/ --zone Europe/Berlin --apply
"""
_COLUMNS = ("key", "person", "time", "from", "why not")


@click.command(name="identify", epilog=_EPILOG)
@click.argument("path_or_url", required=False)
@intake_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--apply", "is_applied", is_flag=True, help="Correct what is registered; nothing is scored again.")
def identify_command(path_or_url: str | None, *, as_json: bool, is_applied: bool, **given: Any) -> None:
    """Show who speaks in each recording of PATH_OR_URL (or TONALOG_STORAGE_URL) and when, and change nothing.

    With --apply, person, time and tenant of what is registered are corrected in one transaction. What is said by an option
    then stays until this command is called again; a pattern or manifest for every scan belongs into the settings. Names
    are printed in plain text.
    """
    settings = Settings.read()
    logs.configure("WARNING", line=logs.FOR_PEOPLE)
    options = read_options(**given)
    naming = Naming.of(settings, options)
    where = path_or_url or settings.storage_url
    if where is None:
        raise TonalogError("Nothing to read: give a folder or s3:// URL, or set TONALOG_STORAGE_URL.")
    store, prefix = open_place(settings, where)
    engine = open_database(settings) if is_applied else None
    if engine is not None:
        subject_keys.require(engine, naming.subjects.fingerprint)
    intake = naming.intake(store, prefix, now=datetime.now(UTC))
    counted: Counter[str] = Counter()
    known: list[NewRecording] = []
    mark = None if engine is None else erasure_mark(engine)
    for page in intake.pages():
        found = list(_read(intake, page))
        _count(counted, found)
        _print(found, as_json=as_json)
        if engine is not None:
            known += _registered(engine, store, found, naming=naming)
    _summarise(counted, intake, where, as_json=as_json)
    if engine is not None and mark is not None:
        n_changed = recordings.correct(
            engine, known, cause=ChangeCause.IDENTIFY, mark=mark, subject_key=naming.subjects.fingerprint
        )
        lasts = (
            ""
            if options == NO_OPTIONS
            else " Scans leave this as it is until `tonalog identify --apply` is called again."
        )
        say(f"{n_changed} of {len(known)} registered recordings corrected.{lasts}", err=as_json)


def _read(intake: Intake, page: list[Listed]) -> Iterator[Identified]:
    for listed in page:
        found = intake.identify(listed)
        if found is not None:
            yield found


def _registered(
    engine: Engine, store: ObjectStore, found: list[Identified], *, naming: Naming
) -> Iterator[NewRecording]:
    """Give what the database knows of a page, as it was read now."""
    known = recordings.known_versions(engine, store.name, store.bucket, keys=[item.stored.key for item in found])
    for item in found:
        if (item.stored.key, item.stored.version_tag) in known:
            yield naming.describe(store, item)


def _count(counted: Counter[str], found: list[Identified]) -> None:
    counted["all"] += len(found)
    counted["nobody"] += sum(item.identity.subject is None for item in found)
    counted["no_time"] += sum(item.identity.recorded_at is None for item in found)


def _print(found: list[Identified], *, as_json: bool) -> None:
    if as_json:
        for item in found:
            say_json(as_document(item))
        return
    has_tenants = any(item.identity.tenant != DEFAULT_TENANT for item in found)
    table = new_table("Recordings", [*_COLUMNS, "tenant"] if has_tenants else _COLUMNS)
    for item in found:
        identity = item.identity
        cells: list[Cell] = [
            item.stored.key,
            identity.subject or "unknown",
            local_time(identity),
            _sources(identity),
            message(identity.problem or ""),
            *([identity.tenant] if has_tenants else []),
        ]
        table.add_row(*cells)
    show(table)


def _sources(identity: RecordingIdentity) -> str:
    """Say where person and time come from, such as `key (folders, whatsapp)` or `manifest, key (dates)`.

    >>> _sources(RecordingIdentity("ana", "manifest", None, None, "unknown"))
    'manifest'
    """
    pairs = ((identity.subject, identity.subject_source), (identity.recorded_at, identity.recorded_at_source))
    names = dict.fromkeys(source for value, source in pairs if value is not None)
    return ", ".join(f"key ({identity.rule})" if source == "key" and identity.rule else source for source in names)


def as_document(item: Identified) -> dict[str, Any]:
    """Return a recording's identity as the JSON object that `tonalog identify --json` prints."""
    identity = item.identity
    moment = in_local_time(identity)
    return {
        "key": item.stored.key,
        "subject": identity.subject,
        "subject_source": identity.subject_source,
        "recorded_at": None if moment is None else moment.isoformat(),
        "utc_offset_min": identity.utc_offset_min,
        "precision": identity.recorded_at_precision,
        "local_day": None if identity.local_day is None else identity.local_day.isoformat(),
        "recorded_at_source": identity.recorded_at_source,
        "problem": identity.problem,
        "tenant": identity.tenant,
        "tenant_source": identity.tenant_source,
    }


def _summarise(counted: Counter[str], intake: Intake, where: str, *, as_json: bool) -> None:
    for gap in intake.manifest_gaps():
        say(f"tonalog: {gap}", err=True)
    if not counted["all"]:
        say(f"No recordings in {where}: hidden files and links are left out.", err=as_json)
        return
    say(
        f"{counted['all']} recordings: {counted['nobody']} without a person, {counted['no_time']} without a time.",
        err=as_json,
    )
