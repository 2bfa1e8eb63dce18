"""CSV after RFC 4180, in UTF-8, in which no name is a formula to a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from config.escaping import write_cell
from exports.texts import as_line, as_plain


def write_csv(path: Path, names: Iterable[str], rows: Iterable[dict[str, Any]]) -> int:
    """Write a table; gives how many rows.

    Text that a spreadsheet would take for a formula has an apostrophe before it (`config.escaping.read_cell` takes it
    away again). A missing value is an empty field.
    """
    n_rows = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)  # with CRLF, as the RFC wants it
        writer.writerow(list(names))
        for row in rows:
            writer.writerow(list(_cells(row)))
            n_rows += 1
    return n_rows


def _cells(row: dict[str, Any]) -> Iterator[Any]:
    for value in row.values():
        if isinstance(value, dict | list):
            yield write_cell(as_line(value))
        elif isinstance(value, str):
            yield write_cell(value)
        elif isinstance(value, bool):
            yield "true" if value else "false"
        else:
            yield as_plain(value)
