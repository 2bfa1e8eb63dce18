"""A manifest: a table that says for many recordings who spoke, and when; CSV or JSON Lines."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from storage.errors import StorageError
from storage.statements import FIELDS, Statement, as_text, make_statement

MANIFEST_NAMES = ("manifest.csv", "manifest.jsonl")
MAX_MANIFEST_BYTES = 512 * 1024 * 1024
COLUMNS = ("key", *FIELDS)
_ALLOWED = ", ".join(COLUMNS)
_SEPARATORS = (",", ";", "\t")


class ManifestError(StorageError):
    """A manifest cannot be used; the message names it, the line, and what is allowed."""


class Manifest:
    """A manifest's rows by key.

    A key is what a listing shows, or the path from the folder that the manifest is for.
    """

    def __init__(self, rows: dict[str, tuple[int, Statement]], *, name: str, base: str = "") -> None:
        """Take rows.

        Args:
            rows: line and statement by key.
            name: of the manifest, for messages.
            base: the folder that its keys may leave out; empty, or ends with `/`.
        """
        self._rows = rows
        self._base = base
        self._used: set[str] = set()
        self.name = name

    def row_of(self, key: str) -> Statement | None:
        """Return what the manifest says about a recording; None where it has no row."""
        for name in (key, key.removeprefix(self._base)):
            if (row := self._rows.get(name)) is not None:
                self._used.add(name)
                return row[1]
        return None

    def unused_lines(self, *, within: str = "") -> list[int]:
        """Return the lines whose recording was not asked for, in order; of those whose key begins with `within`."""
        return sorted(line for key, (line, _) in self._rows.items() if key not in self._used and key.startswith(within))


def read_manifest(file: BinaryIO, *, name: str, base: str = "") -> Manifest:
    r"""Read a manifest.

    Args:
        file: CSV with a line of column names (`key` and any of subject, recorded_at, zone, tenant; separated by comma,
            semicolon or tab), or an object a line with those names. UTF-8.
        name: ends with `.jsonl` or `.ndjson` for JSON Lines; anything else is CSV.
        base: the folder that its keys may leave out; empty, or ends with `/`.

    Raises:
        ManifestError: it is not UTF-8, has an unknown or repeated column, a line without a key or with too many cells, or
            two lines for one recording.

    Examples:
        >>> found = read_manifest(io.BytesIO(b"key;subject\na.ogg;ana\nb.ogg;ben\n"), name="manifest.csv")
        >>> found.row_of("a.ogg").subject, found.row_of("c.ogg"), found.unused_lines()
        ('ana', None, [3])
        >>> read_manifest(io.BytesIO(b"key,person\na.ogg,ana\n"), name="manifest.csv")
        Traceback (most recent call last):
            ...
        storage.manifests.ManifestError: manifest.csv line 1: unknown column 'person'; allowed are key, subject, recorded_at, zone, tenant
    """
    is_json = PurePosixPath(name).suffix.lower() in {".jsonl", ".ndjson"}
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows: dict[str, tuple[int, Statement]] = {}
    try:
        for line, cells in _json_rows(text, name) if is_json else _csv_rows(text, name):
            key = (cells.pop("key", None) or "").strip().removeprefix("./")
            if not key:
                raise ManifestError(f"{name} line {line}: there is no key; it says which recording the line is about")
            first = next((rows[same] for same in (key, key.removeprefix(base), base + key) if same in rows), None)
            if first is not None:
                raise ManifestError(
                    f"{name} line {line}: line {first[0]} is about the same recording; keep one of them"
                )
            rows[key] = (line, make_statement(cells.items(), place=f"{name} line {line}"))
    except UnicodeDecodeError as error:
        raise ManifestError(f"{name}: not UTF-8 (byte {error.start} of a block); save it as UTF-8") from error
    finally:
        text.detach()
    return Manifest(rows, name=name, base=base)


def _csv_rows(text: io.TextIOWrapper, name: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    header = text.readline()
    columns, separator = _columns(header, name)
    reader = csv.reader(text, delimiter=separator, strict=True)
    line = 2
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if len(cells) > len(columns):
                    raise ManifestError(
                        f"{name} line {line}: {len(cells)} cells for {len(columns)} columns; "
                        f"put a cell that holds {separator!r} into quotes"
                    )
                yield line, dict(zip(columns, cells, strict=False))
            line = reader.line_num + 2
    except csv.Error as error:
        raise ManifestError(f"{name} line {line}: {error}") from error


def _columns(header: str, name: str) -> tuple[list[str], str]:
    """Read the first line, and find out what separates its cells."""
    separator = max(_SEPARATORS, key=header.count)
    try:
        cells = next(csv.reader([header], delimiter=separator), [])
    except csv.Error as error:
        raise ManifestError(f"{name} line 1: {error}") from error
    columns = [cell.strip().lower().replace("-", "_") for cell in cells]
    for column in columns:
        if column not in COLUMNS:
            raise ManifestError(f"{name} line 1: unknown column {column!r}; allowed are {_ALLOWED}")
        if columns.count(column) > 1:
            raise ManifestError(f"{name} line 1: column {column!r} stands there twice")
    if "key" not in columns:
        raise ManifestError(f"{name} line 1: no column 'key'; the first line names the columns, allowed are {_ALLOWED}")
    return columns, separator


def _json_rows(text: io.TextIOWrapper, name: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    for line, row in enumerate(text, start=1):
        if not row.strip():
            continue
        try:
            document = json.loads(row)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{name} line {line}: no JSON; write one object a line") from error
        if not isinstance(document, dict):
            raise ManifestError(f"{name} line {line}: no object; write one with {_ALLOWED}")
        for field in document:
            if field not in COLUMNS:
                raise ManifestError(f"{name} line {line}: unknown field {field!r}; allowed are {_ALLOWED}")
        try:
            yield line, {field: as_text(value) for field, value in document.items()}
        except ValueError as error:
            raise ManifestError(f"{name} line {line}: {error}") from error
