"""JSON Lines: one object a line, in UTF-8."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exports.texts import as_line


def write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write a table; gives how many rows."""
    n_rows = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(as_line(row) + "\n")
            n_rows += 1
    return n_rows
