"""`tonalog erase | retention`: what takes recordings away; neither prints a name or a key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import click

from config.settings import Settings
from db import Engine, erasures, export_jobs, recordings, removals
from db.erasures import Chosen, Extent
from db.reasons import ErasureScope, RecordingState
from exports.kept_files import folder_in, remove_others
from scheduler.erasing import Carried, carry_out
from scheduler.retention import expired
from storage.open import open_bucket
from tonalog.days import Days
from tonalog.errors import TonalogError
from tonalog.report import when
from tonalog.residue import tell_residue
from tonalog.screen import new_table, say, show
from tonalog.session import choose_tenant, find_subject, open_database, say_others

_ERASE_EPILOG = """\b
Examples:
  tonalog erase --subject ana --dry-run
  tonalog erase --recording 17
"""
_RETENTION_EPILOG = """\b
Examples:
  tonalog retention --older-than 365d                        # only lists
  tonalog retention --older-than 90d --keep-results --yes    # audio goes, scores stay
  TONALOG_RETENTION_DAYS=365 tonalog retention               # what the scheduler erases next
"""
_N_LISTED = 50


@click.command(name="erase", epilog=_ERASE_EPILOG)
@click.option("--subject", help="Everything of this person, by the whole name.")
@click.option("--tenant", help="Whose person; needed where several tenants have somebody of this name.")
@click.option("--recording", help="One recording, by its id or whole key, with all versions of the key.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only say what would be erased.")
def erase_command(*, subject: str | None, tenant: str | None, recording: str | None, is_dry_run: bool) -> None:
    """Erase a person or a recording: results, segments, identity, and every version of the objects.

    What cannot be removed from storage now is remembered: the same command finishes it. What was uploaded after the
    last scan is not known yet, so scan before.
    """
    if (subject is None) == (recording is None):
        raise click.UsageError("give either --subject or --recording")
    if tenant is not None and subject is None:
        raise click.UsageError("--tenant goes with --subject only")
    settings = Settings.read()
    engine = open_database(settings)
    has_begun = _tell_unfinished(engine)
    if subject is None:
        assert recording is not None
        chosen = _choose(engine, recording, may_be_erased=has_begun)
    else:
        chosen = _choose_person(engine, settings, subject, tenant=tenant)
    extent = _measure(engine, chosen, may_be_erased=has_begun)
    if extent is not None:
        _tell_extent(extent, scope=ErasureScope.ALL)
    if is_dry_run:
        say("Dry run: nothing was changed.")
        return
    _erase(settings, engine, chosen if extent is not None else None, scope=ErasureScope.ALL)


@click.command(name="retention", epilog=_RETENTION_EPILOG)
@click.option("--older-than", "age", type=Days(), help="Age in days, such as 365d.")
@click.option("--keep-results", is_flag=True, help="Remove the audio only; results and identity stay.")
@click.option("--yes", "is_sure", is_flag=True, help="Do it; without this it only lists.")
def retention_command(*, age: timedelta | None, keep_results: bool, is_sure: bool) -> None:
    """List recordings that are older than an age, and with --yes erase them.

    The time of recording counts, or of registration where that is unknown. A wrong clock in a recorder makes a wrong
    age, so look at the list first. Without --older-than it lists what the scheduler erases next by
    TONALOG_RETENTION_DAYS, for which only the registration counts.
    """
    settings = Settings.read()
    chosen, n_days = _old(settings, age)
    engine = open_database(settings)
    scope = ErasureScope.AUDIO if keep_results else ErasureScope.ALL
    has_begun = _tell_unfinished(engine)
    extent = erasures.measure(engine, chosen, scope=scope)
    if extent.n_recordings == 0:
        say(f"No recording is older than {n_days} days.")
    else:
        _list_old(engine, chosen, scope=scope, n_days=n_days)
        _tell_extent(extent, scope=scope)
    if not is_sure:
        say("Nothing was changed: --yes does it.")
    elif extent.n_recordings or has_begun:
        _erase(settings, engine, chosen if extent.n_recordings else None, scope=scope)


def _old(settings: Settings, age: timedelta | None) -> tuple[Chosen, int]:
    now = datetime.now(UTC)
    if age is not None:
        return Chosen(before=now - age), age.days
    if settings.retention_days is None:
        raise click.UsageError("give --older-than, such as 365d, or set TONALOG_RETENTION_DAYS")
    return expired(settings.retention_days, now), settings.retention_days


def _choose_person(engine: Engine, settings: Settings, subject: str, *, tenant: str | None) -> Chosen:
    """Choose everything of one person of one tenant; which one is never guessed where several may be meant."""
    whose = choose_tenant(settings, tenant)
    person = find_subject(engine, settings, subject, tenant=whose)
    others = say_others(engine, settings, subject, tenant=whose)
    if others and tenant is None:
        raise TonalogError(f"{others}: say with --tenant whose person to erase.")
    if others:
        say(f"{others} too; those recordings stay.")
    return Chosen(subject=person, tenant=whose)


def _choose(engine: Engine, recording: str, *, may_be_erased: bool) -> Chosen | None:
    matches = recordings.find(engine, recording)
    found = [one for one in matches if str(one.id) == recording] or [one for one in matches if one.key == recording]
    live = [one for one in found if one.state is not RecordingState.ERASED]
    if len({(one.store, one.bucket, one.key) for one in live}) > 1:
        ids = ", ".join(str(one.id) for one in live)
        raise TonalogError(f"this key is in several places: give one of the ids {ids}.")
    if live:
        return Chosen(recording_id=live[0].id)
    if may_be_erased:
        return None
    said = "is erased already" if found else "is not known: give an id or a whole key, as `tonalog run` prints it"
    raise TonalogError(f"this recording {said}.")


def _measure(engine: Engine, chosen: Chosen | None, *, may_be_erased: bool) -> Extent | None:
    extent = None if chosen is None else erasures.measure(engine, chosen, scope=ErasureScope.ALL)
    if extent is not None and extent.n_recordings:
        return extent
    if not may_be_erased:
        raise TonalogError(
            "no recordings of this person: erased already, never scanned, or the name is another one; "
            "`tonalog subjects list` shows who there is."
        )
    say("No other recording fits.")
    return None


def _tell_unfinished(engine: Engine) -> bool:
    unfinished = removals.unfinished(engine)
    for erasure in unfinished:
        say(f"Erasure {erasure.id} is not finished: {erasure.n_left} objects are still to be removed.")
    return bool(unfinished)


def _tell_extent(extent: Extent, *, scope: ErasureScope) -> None:
    kept = " Results and identity stay." if scope is ErasureScope.AUDIO else ""
    say(
        f"To erase: {extent.n_recordings} recordings, {extent.n_results} results, {extent.n_objects} objects with all "
        f"their versions; {extent.n_running} are being scored and will be stopped.{kept}"
    )


def _list_old(engine: Engine, chosen: Chosen, *, scope: ErasureScope, n_days: int) -> None:
    old = erasures.list_old(engine, chosen, scope=scope, limit=_N_LISTED)
    table = new_table(f"Older than {n_days} days", ["recording", "recorded at", "registered at"])
    for one in old:
        table.add_row(str(one.id), when(one.recorded_at), when(one.registered_at))
    show(table)
    say(f"Listed are the oldest {len(old)}; `tonalog show ID` tells more of each.")


def _erase(settings: Settings, engine: Engine, chosen: Chosen | None, *, scope: ErasureScope) -> None:
    erasure_id = None if chosen is None else erasures.begin(engine, chosen, scope=scope)
    if erasure_id is not None and scope is ErasureScope.ALL:
        _remove_exports(settings, engine)
    if chosen is not None and erasure_id is None:
        say("What was chosen is not there any more: somebody else erased, renamed or replaced it meanwhile.")
    carried = carry_out(engine, partial(open_bucket, settings))
    if carried.problem is not None or carried.n_left:
        raise TonalogError(
            f"{carried.n_left} objects could not be removed yet ({carried.problem}); the database has forgotten all "
            "else. Run the same command again to finish."
        )
    _tell_done(engine, erasure_id, carried)


def _remove_exports(settings: Settings, engine: Engine) -> None:
    # The rows are gone with the erasure; the files of this home too, before an API looks after them.
    n_removed = remove_others(folder_in(settings.home), export_jobs.file_tokens(engine))
    if n_removed:
        say(f"Removed {n_removed} exports of the HTTP API that may have held what was erased.")


def _tell_done(engine: Engine, erasure_id: int | None, carried: Carried) -> None:
    audit = None if erasure_id is None else removals.read_erasure(engine, erasure_id)
    if audit is None:
        say(f"Finished: {carried.n_gone} objects are gone.")
    else:
        say(
            f"Erasure {audit.id}: {audit.n_recordings} recordings, {audit.n_results} results and "
            f"{audit.n_objects} objects are gone."
        )
    tell_residue(carried.residue)
