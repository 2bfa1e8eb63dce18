"""Writes one export: whole, of one moment, and of nobody who was erased meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from db import Engine
from db.rows import Model
from db.snapshot import Selection, take_snapshot
from exports.audformat_tables import write_audformat
from exports.delimited import write_csv
from exports.dictionary import TABLES, WORDS, TableOf
from exports.fhir import write_fhir
from exports.json_lines import write_json_lines
from exports.parquet import write_parquet
from exports.person import CopyAudio, Keeping, write_person
from exports.place import new_place
from exports.rows import RowSource
from exports.texts import as_line

ABOUT = "export.json"


class Format(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    AUDFORMAT = "audformat"
    FHIR = "fhir"
    PERSON = "person"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How an export is written.

    Attributes:
        version: of this release, for the record.
        model: VERSION or NAME-VERSION; None: the active one.
        has_keys: whether files are named by their storage keys, which may hold names, where the format names files.
        keeping: how long what is kept, for a person to read.
        copy_audio: writes the audio of a person's note into a file; None: audio is left out.
    """

    version: str
    model: str | None = None
    has_keys: bool = False
    keeping: Keeping = field(default_factory=Keeping)
    copy_audio: CopyAudio | None = None


@dataclass(frozen=True, kw_only=True)
class Written:
    """What an export holds.

    Attributes:
        n_rows: rows of each file or table.
        taken_at: the moment of the database that they show.
        model: whose scores they are; None where no model is active.
        n_behind: people whose days and trends do not show their newest notes yet.
    """

    n_rows: dict[str, int]
    taken_at: datetime
    model: Model | None
    n_behind: int


_Writer = Callable[[RowSource, Path, dict[str, Any]], dict[str, int]]


def write_export(engine: Engine, chosen: Selection, target: Path, *, form: Format, options: Options) -> Written:
    """Write an export into a new folder, or into a ZIP where the name ends so.

    Args:
        engine: the database.
        chosen: which notes; `subject` as subjects are stored.
        target: a name that is free.
        form: as what.
        options: how.

    Raises:
        ExportError: the target is taken or cannot be written, or the format cannot be written of this selection.
        RowNotFound: there is no such model.
        ErasedMeanwhile: somebody was erased before it was whole; nothing is left.
        StorageError: audio cannot be read.
    """
    with new_place(target) as folder:
        with take_snapshot(engine) as snapshot:
            model = snapshot.find_model(options.model)
            source = RowSource(snapshot, chosen, model=model, has_keys=options.has_keys)
            about = describe(source, form=form, version=options.version)
            n_rows = _write(source, folder, about, form=form, options=options)
        about["rows"] = n_rows
        (folder / ABOUT).write_text(as_line(about) + "\n", encoding="utf-8")
        snapshot.require_nobody_erased(engine)
    return Written(n_rows=n_rows, taken_at=snapshot.taken_at, model=source.model, n_behind=about["n_behind"])


def _write(source: RowSource, folder: Path, about: dict[str, Any], *, form: Format, options: Options) -> dict[str, int]:
    if form is Format.PERSON:
        return write_person(source, folder, about, keeping=options.keeping, copy_audio=options.copy_audio)
    return _WRITERS[form](source, folder, about)


def describe(source: RowSource, *, form: Format, version: str) -> dict[str, Any]:
    """Say what an export holds: `export.json`."""
    chosen, model = source.chosen, source.model
    return {
        "about": WORDS,
        "tonalog": version,
        "format": form.value,
        "taken_at": source.snapshot.taken_at,
        "tenant": chosen.tenant,
        "subject": chosen.subject,
        "since": chosen.since,
        "until": chosen.until,
        "model": None
        if model is None
        else {"name": model.name, "version": model.version, "labels": list(model.labels)},
        "n_behind": source.snapshot.count_behind(chosen),
        "columns": {table.name: _describe(table) for table in TABLES},
    }


def _describe(table: TableOf) -> dict[str, str]:
    return {column.name: f"{column.kind.value}: {column.meaning}" for column in table.columns}


def _write_csv(source: RowSource, folder: Path, _about: dict[str, Any]) -> dict[str, int]:
    return {
        table.name: write_csv(folder / f"{table.name}.csv", [c.name for c in table.columns], source.read(table))
        for table in TABLES
    }


def _write_json_lines(source: RowSource, folder: Path, _about: dict[str, Any]) -> dict[str, int]:
    return {table.name: write_json_lines(folder / f"{table.name}.jsonl", source.read(table)) for table in TABLES}


def _write_parquet(source: RowSource, folder: Path, about: dict[str, Any]) -> dict[str, int]:
    return {
        table.name: write_parquet(folder / f"{table.name}.parquet", table, source.read(table), about=about)
        for table in TABLES
    }


def _write_audformat(source: RowSource, folder: Path, about: dict[str, Any]) -> dict[str, int]:
    keys = source.snapshot.keys(source.chosen) if source.has_keys else None
    return write_audformat(source, folder, about, name_file=str if keys is None else keys.__getitem__)


_WRITERS: dict[Format, _Writer] = {
    Format.CSV: _write_csv,
    Format.JSONL: _write_json_lines,
    Format.PARQUET: _write_parquet,
    Format.AUDFORMAT: _write_audformat,
    Format.FHIR: write_fhir,
}
