"""Read the rows of a file of an S3 Inventory, CSV or Parquet, one after the other."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import unquote_plus

from storage.errors import StorageError
from storage.objects import MAX_KEY_BYTES, StoredObject

_BATCH_ROWS = 10_000
_NEEDED = ("bucket", "key", "size", "last_modified_date", "e_tag")
_CSV_NAMES = {
    "bucket": "Bucket",
    "key": "Key",
    "size": "Size",
    "last_modified_date": "LastModifiedDate",
    "e_tag": "ETag",
    "version_id": "VersionId",
    "is_latest": "IsLatest",
    "is_delete_marker": "IsDeleteMarker",
}


class InventoryError(StorageError):
    """An inventory cannot be used; the message says which file or column, and what is needed."""


def read_csv(file: BinaryIO, *, schema: str, bucket: str, name: str) -> Iterator[StoredObject]:
    """Give the current objects of a gzipped CSV file without a header, whose keys are written as in URLs.

    Args:
        file: its bytes.
        schema: the manifest's `fileSchema`, names with commas between them.
        bucket: whose objects they must be.
        name: of the file, for messages.

    Raises:
        InventoryError: a column is missing, or the file or a row cannot be read.
    """
    columns = [column.strip() for column in schema.split(",")]
    names = {ours: column for ours, column in _CSV_NAMES.items() if column in columns}
    _require(names, _CSV_NAMES)
    text = io.TextIOWrapper(gzip.GzipFile(fileobj=file, mode="rb"), encoding="utf-8", newline="")
    number = 0
    try:
        for number, values in enumerate(csv.reader(text), start=1):
            if len(values) != len(columns):
                raise InventoryError(
                    f"{name!r}, line {number}: {len(values)} columns; the manifest names {len(columns)}"
                )
            given = dict(zip(columns, values, strict=True))
            row: dict[str, Any] = {ours: given[column] for ours, column in names.items()}
            if _is_current({**row, **_flags(row)}):
                key = unquote_plus(row["key"], errors="surrogateescape")
                yield _object(row | {"key": key}, bucket=bucket, place=f"{name!r}, line {number}")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InventoryError(f"{name!r} is no gzipped CSV file after line {number} ({type(error).__name__})") from error


def read_parquet(file: BinaryIO, *, schema: str, bucket: str, name: str) -> Iterator[StoredObject]:
    """Give the current objects of a Parquet file; its own schema counts, and its keys are plain.

    Args:
        file: its bytes.
        schema: the manifest's, which says the same as the file's.
        bucket: whose objects they must be.
        name: of the file, for messages.

    Raises:
        InventoryError: pyarrow is not installed, a column is missing, or the file or a row cannot be read.
    """
    del schema
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 - of the extra `parquet`
    except ImportError:
        raise InventoryError("an inventory in Parquet needs pyarrow: pip install 'tonalog[parquet]'") from None
    number = 0
    try:
        opened = parquet.ParquetFile(file)
        names = [column for column in _CSV_NAMES if column in opened.schema_arrow.names]
        _require(dict.fromkeys(names, ""), {column: column for column in _CSV_NAMES})
        for batch in opened.iter_batches(batch_size=_BATCH_ROWS, columns=names):
            for row in batch.to_pylist():
                number += 1
                if _is_current(row):
                    yield _object(row, bucket=bucket, place=f"{name!r}, row {number}")
    except (ArrowException, OSError) as error:
        raise InventoryError(f"{name!r} is no Parquet file after row {number} ({type(error).__name__})") from error


def _require(found: Mapping[str, str], spelt: Mapping[str, str]) -> None:
    # Without IsLatest, a list of all versions would bring replaced and deleted objects back.
    needed = [*_NEEDED, *(["is_latest", "is_delete_marker"] if "version_id" in found else [])]
    missing = [spelt[column] for column in needed if column not in found]
    if missing:
        raise InventoryError(
            f"the inventory has no column {', '.join(missing)}: add it in the inventory's configuration, and wait for the next one"
        )


def _flags(row: Mapping[str, str]) -> dict[str, bool]:
    return {name: row[name].lower() == "true" for name in ("is_latest", "is_delete_marker") if name in row}


def _is_current(row: Mapping[str, Any]) -> bool:
    return row.get("is_latest", True) is True and row.get("is_delete_marker", False) is not True


def _object(row: Mapping[str, Any], *, bucket: str, place: str) -> StoredObject:
    if row["bucket"] != bucket:
        raise InventoryError(f"{place}: the object is in the bucket {row['bucket']!r}, not in {bucket!r}")
    try:
        key, tag, size_bytes = str(row["key"]), str(row["e_tag"] or "").strip('"'), int(row["size"])
        uploaded_at = _moment(row["last_modified_date"])
        n_bytes = len(key.encode())
    except (ValueError, TypeError) as error:
        raise InventoryError(f"{place}: key, size, ETag or time cannot be used ({type(error).__name__})") from error
    if not tag or size_bytes < 0 or not 0 < n_bytes <= MAX_KEY_BYTES:
        raise InventoryError(f"{place}: key, size, ETag or time cannot be used (empty or out of range)")
    return StoredObject(key, tag, size_bytes, uploaded_at, None)


def _moment(value: object) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
