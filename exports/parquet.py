"""Parquet, in row groups of a bounded size (extra `parquet`)."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from exports.dictionary import Kind, TableOf
from exports.errors import ExportError
from exports.texts import as_line

ROW_GROUP = 50_000  # rows, in memory as Arrow
_BATCH = 2_500  # rows in memory as Python's objects, which take ten times as much


def write_parquet(path: Path, table: TableOf, rows: Iterable[dict[str, Any]], *, about: dict[str, Any]) -> int:
    """Write a table; gives how many rows.

    Args:
        path: a new file.
        table: its columns; moments become timestamps in UTC, scores maps from label to number.
        rows: the rows, read as they are written.
        about: goes into the metadata of the file, under the key `tonalog`.

    Raises:
        ExportError: pyarrow is not installed.
    """
    pa, pq = _import()
    fields = [
        pa.field(column.name, _type(pa, column.kind), metadata={"meaning": column.meaning}) for column in table.columns
    ]
    schema = pa.schema(fields, metadata={"tonalog": as_line(about)})
    n_rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _groups(pa, table, rows, schema=schema):
            writer.write_table(group, row_group_size=ROW_GROUP)
            n_rows += group.num_rows
    return n_rows


def _groups(pa: ModuleType, table: TableOf, rows: Iterable[dict[str, Any]], *, schema: Any) -> Iterator[Any]:
    documents = [column.name for column in table.columns if column.kind is Kind.DOCUMENT]
    left = ({**row, **{name: _as_text(row[name]) for name in documents}} for row in rows)
    batches: list[Any] = []
    while batch := list(islice(left, _BATCH)):
        batches.append(pa.Table.from_pylist(batch, schema=schema))
        if sum(part.num_rows for part in batches) >= ROW_GROUP:
            yield pa.concat_tables(batches)
            batches = []
    if batches:
        yield pa.concat_tables(batches)


def _as_text(document: Any) -> str | None:
    return None if document is None else as_line(document)


def _import() -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow  # noqa: PLC0415, ICN001 - an extra
        import pyarrow.parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ExportError("Parquet needs its extra: pip install 'tonalog[parquet]'.") from error
    return pyarrow, pyarrow.parquet


def _type(pa: ModuleType, kind: Kind) -> Any:
    types = {
        Kind.TEXT: pa.string(),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.FLAG: pa.bool_(),
        Kind.MOMENT: pa.timestamp("us", tz="UTC"),
        Kind.LOCAL_MOMENT: pa.timestamp("us"),
        Kind.DAY: pa.date32(),
        Kind.DOCUMENT: pa.string(),
        Kind.SCORES: pa.map_(pa.string(), pa.float64()),
    }
    return types[kind]
