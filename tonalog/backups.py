"""Makes backups and brings them back, so that who was erased after a backup stays erased."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path

from config.settings import Settings
from db import Engine, backup, migrate
from db.backup import ErasedRecording
from db.engine import make_engine
from scheduler.erasing import carry_out
from storage.open import open_bucket
from tonalog import dumps
from tonalog.errors import TonalogError

_SQLITE_MAGIC = b"SQLite format 3\0"
_DUMP_MAGIC = b"PGDMP"


def make_backup(engine: Engine, target: Path) -> int:
    """Write the database into a new file, whole or not at all; return its size in bytes.

    Raises:
        TonalogError: the file is there already, or its folder is not; or the dump failed.
        DatabaseError: the database is damaged or away.
    """
    migrate.require_current(engine)
    _require_new(target)
    with tempfile.TemporaryDirectory(prefix=".tonalog-backup-", dir=target.parent) as folder:
        written = Path(folder) / "backup"
        if engine.dialect.name == "sqlite":
            backup.copy_sqlite(_file_of(engine), written)
        else:
            os.close(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            dumps.dump(engine, written)
        _publish(written, target)
    return target.stat().st_size


def restore_backup(engine: Engine, source: Path, *, erased: Path | None, may_replace: bool) -> int:
    """Put a backup into the database and erase again who is on the list; return how many recordings that were.

    On SQLite all of this is done in a copy, which takes the database's place in one transaction; who was erased in the
    database that is replaced is erased in the backup too. On PostgreSQL the database has to be empty.

    Raises:
        TonalogError: the file is no backup of this kind of database, the database is not empty, or the list is broken.
        DatabaseError: the backup is damaged, or made by a newer release.
    """
    again = [] if erased is None else list(read_erased(erased))
    is_sqlite = engine.dialect.name == "sqlite"
    _require_kind(source, is_sqlite=is_sqlite)
    is_empty = backup.is_empty(engine)
    if not is_empty and not (is_sqlite and may_replace):
        hint = "--replace overwrites it" if is_sqlite else "make an empty one and set TONALOG_DATABASE_URL to it"
        raise TonalogError(f"the database is not empty: {hint}.")
    if not is_sqlite:
        dumps.restore(engine, source)
        migrate.upgrade(engine)
        return backup.erase_again(engine, again)
    target = _file_of(engine)
    with tempfile.TemporaryDirectory(prefix=".tonalog-restore-", dir=target.parent) as folder:
        copy = Path(folder) / "copy.db"
        backup.copy_sqlite(source, copy)
        restored = make_engine(copy)
        migrate.upgrade(restored)
        n_again = backup.erase_again(restored, chain(again, () if is_empty else backup.list_erased(engine)))
        backup.replace_sqlite(copy, target)
    return n_again


def finish_erasures(settings: Settings, engine: Engine) -> str | None:
    """Remove the objects of who was erased again; return what is left to do in words, None where nothing is."""
    carried = carry_out(engine, partial(open_bucket, settings))
    if not carried.n_left:
        return None
    return f"{carried.n_left} objects could not be removed yet ({carried.problem})"


def write_erased(engine: Engine, target: Path) -> int:
    """Write the list of erased recordings over the one that is there, whole or not at all; return how many they are.

    A line is a JSON object of a recording's id and the time of its registration.
    """
    n = 0
    with tempfile.TemporaryDirectory(prefix=".tonalog-erased-", dir=target.parent) as folder:
        written = Path(folder) / "erased"
        with written.open("w", encoding="utf-8") as file:
            for n, one in enumerate(backup.list_erased(engine), 1):  # noqa: B007 - the last n is how many there are
                file.write(json.dumps({"recording": one.id, "registered_at": one.registered_at.isoformat()}) + "\n")
        _publish(written, target)
    return n


def read_erased(source: Path) -> Iterator[ErasedRecording]:
    """Read such a list.

    Raises:
        TonalogError: it cannot be read, or a line is none of such a list.
    """
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TonalogError(f"the list {source} cannot be read: {error}") from error
    for n, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            yield ErasedRecording(id=int(row["recording"]), registered_at=datetime.fromisoformat(row["registered_at"]))
        except (ValueError, KeyError, TypeError) as error:
            raise TonalogError(f"line {n} of {source} is no line of `tonalog db erased`: {line[:80]!r}") from error


def _require_new(target: Path) -> None:
    if target.exists():
        raise TonalogError(f"{target} is there already: give a new name, since an old backup is not written over.")
    if not target.parent.is_dir():
        raise TonalogError(f"{target.parent} is no folder: make it first.")


def _require_kind(source: Path, *, is_sqlite: bool) -> None:
    try:
        with source.open("rb") as file:
            begin = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise TonalogError(f"{source} cannot be read: {error.strerror}") from error
    wanted, name = (_SQLITE_MAGIC, "a SQLite database") if is_sqlite else (_DUMP_MAGIC, "a dump of PostgreSQL")
    if not begin.startswith(wanted):
        raise TonalogError(f"{source} is not {name}, as TONALOG_DATABASE_URL would need it.")


def _file_of(engine: Engine) -> Path:
    return Path(str(engine.url.database))


def _publish(written: Path, target: Path) -> None:
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
