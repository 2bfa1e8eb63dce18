"""Everything about one person, to read and to take along: what GDPR Art. 15 and 20 ask for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TextIO

from db.person_rows import PersonRows, StoredObject
from exports.delimited import write_csv
from exports.dictionary import TABLES
from exports.errors import ExportError
from exports.person_page import write_page
from exports.rows import RowSource
from exports.texts import as_line

_MAX_SUFFIX = 8
CopyAudio = Callable[[StoredObject, BinaryIO], None]


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """How long what is kept, in days; None: until somebody erases it."""

    retention_days: int | None = None
    api_audit_days: int = 365


def write_person(
    source: RowSource, folder: Path, about: dict[str, Any], *, keeping: Keeping, copy_audio: CopyAudio | None = None
) -> dict[str, int]:
    """Write what is kept of the chosen person; gives how many rows of each table.

    `index.html` is for the person; `data.json` has every row, of every model and of former versions of a note too;
    `tables/` has the same as CSV, one file a table; `notes.csv`, `segments.csv`, `days.csv` and `trends.csv` are those of
    the CSV export.

    Args:
        source: the rows; its selection names a person and no period.
        folder: where the files go.
        about: what goes into `data.json` before the rows.
        keeping: how long what is kept.
        copy_audio: writes the audio of a note into a file, for the folder `audio`; None: it is left out.

    Raises:
        ExportError: no person is chosen, or a period is.
    """
    chosen = source.chosen
    if chosen.subject is None:
        raise ExportError("An export for a person needs one: give --subject.")
    if chosen.since is not None or chosen.until is not None:
        raise ExportError("An export for a person is of all time: leave --since and --until out.")
    person = PersonRows(source.snapshot, chosen.tenant, chosen.subject)
    for kept in TABLES:
        write_csv(folder / f"{kept.name}.csv", [column.name for column in kept.columns], source.read(kept))
    n_rows = _write_tables(person, folder / "tables")
    with (folder / "data.json").open("w", encoding="utf-8", newline="\n") as file:
        _write_document(person, about, file)
    if copy_audio is not None:
        n_rows["audio"] = _copy_all(person, folder / "audio", copy_audio)
    write_page(folder / "index.html", source, person, keeping=keeping, n_rows=n_rows)
    return n_rows


def _write_tables(person: PersonRows, folder: Path) -> dict[str, int]:
    folder.mkdir()
    return {
        table.name: write_csv(folder / f"{table.name}.csv", person.columns(table), person.read(table))
        for table in person.tables()
    }


def _write_document(person: PersonRows, about: dict[str, Any], file: TextIO) -> None:
    file.write(f'{{"about":{as_line(about)},"names":{as_line(person.names)}')
    for table in person.tables():
        file.write(f",\n{as_line(table.name)}:[")
        _write_rows(person.read(table), file)
        file.write("]")
    file.write("}\n")


def _write_rows(rows: Iterable[dict[str, Any]], file: TextIO) -> None:
    separator = "\n"
    for row in rows:
        file.write(separator + as_line(row))
        separator = ",\n"


def _copy_all(person: PersonRows, folder: Path, copy_audio: CopyAudio) -> int:
    folder.mkdir()
    n_copied = 0
    for place in person.objects():
        with (folder / f"{place.recording_id}{_suffix(place.key)}").open("xb") as file:
            copy_audio(place, file)
        n_copied += 1
    return n_copied


def _suffix(key: str) -> str:
    """Give the ending of a key where it is a plain one.

    >>> _suffix("ana/note.ogg"), _suffix("ana/note.<x>"), _suffix("ana/note")
    ('.ogg', '', '')
    """
    suffix = PurePosixPath(key).suffix
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= _MAX_SUFFIX else ""
