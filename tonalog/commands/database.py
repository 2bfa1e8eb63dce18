"""`tonalog db`: set up, upgrade, back up and bring back the database."""

from __future__ import annotations

from pathlib import Path

import click

from config.queues import prepare_folders
from config.settings import Settings
from db import Engine, migrate, recordings, residue
from db.backup import erase_again
from db.engine import make_engine
from db.statistics import refresh_statistics
from tonalog.backups import finish_erasures, make_backup, read_erased, restore_backup, write_erased
from tonalog.errors import TonalogError
from tonalog.screen import say
from tonalog.session import ensure_model, open_database

_OFFSETS_SINCE = "0006"  # the revision that keeps them
_BACKUP_EPILOG = """\b
Examples:
  tonalog db backup backups/tonalog-monday.backup
  tonalog db erased backups/erased.jsonl      # after each backup and each erasure: keep it outside the backup
"""
_RESTORE_EPILOG = """\b
Examples:
  tonalog db restore backups/tonalog-monday.backup --erased backups/erased.jsonl
  tonalog db restore backups/tonalog-monday.backup --without-erased --replace
"""


@click.group(name="db")
def db_command() -> None:
    """Set up, upgrade, back up, restore or rewrite the database."""


@db_command.command(name="upgrade", epilog="Example: TONALOG_DATABASE_URL=postgresql://... tonalog db upgrade")
def upgrade() -> None:
    """Bring the schema to this release; register and activate the shipped model if none is active."""
    settings = Settings.read()
    prepare_folders(settings)
    engine = make_engine(settings.database)
    before = migrate.current(engine)
    after = migrate.upgrade(engine)
    refresh_statistics(engine)
    model = ensure_model(engine, settings)
    change = "is up to date" if before == after else f"went from {before or 'nothing'} to {after}"
    say(f"The schema {change}; active model: {model.name}-{model.version}.")
    if before is not None and before < _OFFSETS_SINCE:
        _tell_lost_offsets(engine)


@db_command.command(name="rewrite", epilog="Example: TONALOG_DATABASE_URL=postgresql://... tonalog db rewrite")
def rewrite() -> None:
    """Write tables anew without the bytes of what was erased, as their owner.

    On PostgreSQL everybody who needs such a table waits meanwhile, and each takes as much disk again: choose a quiet
    hour. Its write-ahead log, server logs and backups are not touched.
    """
    left = residue.rewrite(open_database(Settings.read())).uncleaned_tables
    say("The tables are rewritten; nothing of what was erased is in their files.")
    if left:
        say(f"Old statistics may be in {', '.join(left)}: the database's owner removes them with the same command.")


@db_command.command(name="backup", epilog=_BACKUP_EPILOG)
@click.argument("path", type=click.Path(path_type=Path))
def backup(path: Path) -> None:
    """Write the database, as it is at one moment, into the new file PATH; workers go on meanwhile.

    SQLite is copied and checked; PostgreSQL is dumped by pg_dump in its custom format. Recordings and bundles are not
    in it. It holds scores and names: keep it as you keep the database.
    """
    n_bytes = make_backup(open_database(Settings.read()), path)
    say(f"Wrote {path} ({n_bytes / 1e6:.1f} MB).")


@db_command.command(name="restore", epilog=_RESTORE_EPILOG)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--erased", type=click.Path(path_type=Path), help="List of `tonalog db erased`: who is on it is erased again."
)
@click.option("--without-erased", "is_sure", is_flag=True, help="There is no list: nobody was erased after the backup.")
@click.option("--replace", "may_replace", is_flag=True, help="Overwrite a SQLite database that is not empty.")
def restore(*, path: Path, erased: Path | None, is_sure: bool, may_replace: bool) -> None:
    """Bring back the backup PATH into an empty database, upgrade it, and erase again who was erased since.

    Stop every process first. Without a list of who was erased after the backup those people would be back, so say
    which list it is, or that there is none.
    """
    if (erased is None) != is_sure:
        raise click.UsageError("give --erased FILE, or --without-erased where nobody was erased after the backup")
    settings = Settings.read()
    prepare_folders(settings)
    engine = make_engine(settings.database)
    n_again = restore_backup(engine, path, erased=erased, may_replace=may_replace)
    say(f"Restored {path}; the schema is {migrate.current(engine)}; {n_again} recordings were erased again.")
    if engine.dialect.name != "sqlite":
        say("If each process has a role of its own, run deploy/postgres/roles.sql now.")
    if n_again and (left := finish_erasures(settings, engine)):
        raise TonalogError(
            f"{left}. `tonalog retention --older-than 36500d --yes` finishes it and erases nothing else."
        )


@db_command.command(name="erase-again", epilog="Example: tonalog db erase-again backups/erased.jsonl")
@click.argument("path", type=click.Path(path_type=Path))
def erase_again_command(path: Path) -> None:
    """Erase again who is on the list PATH, after the database was brought back by other means than `db restore`."""
    settings = Settings.read()
    engine = open_database(settings)
    n_again = erase_again(engine, list(read_erased(path)))
    say(f"{n_again} recordings were erased again.")
    _finish(settings, engine, n_again)


@db_command.command(name="erased", epilog="Example: tonalog db erased backups/erased.jsonl")
@click.argument("path", type=click.Path(path_type=Path))
def erased_command(path: Path) -> None:
    """Write into PATH which recordings were erased, by id and time of registration; it names nobody.

    `db restore --erased` needs it. Write it after each erasure, and keep it apart from the backups.
    """
    n = write_erased(open_database(Settings.read()), path)
    say(f"Wrote {path}: {n} recordings.")


def _finish(settings: Settings, engine: Engine, n_again: int) -> None:
    if n_again and (left := finish_erasures(settings, engine)):
        raise TonalogError(
            f"{left}. `tonalog retention --older-than 36500d --yes` finishes it and erases nothing else."
        )


def _tell_lost_offsets(engine: Engine) -> None:
    n_all, n_gone = recordings.count_without_offset(engine)
    if n_all:
        say(
            f"{n_all} recordings have a time whose offset from UTC was not kept, so their local day is the UTC day for now. "
            f"The next scan reads {n_all - n_gone} of them again; {n_gone} are replaced or without audio and keep the UTC day."
        )
