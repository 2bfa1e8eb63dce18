"""Notes and segments as a database of audformat, with the model as rater (extra `audformat`)."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from db.rows import Model
from db.schema import DIMENSIONS
from exports.dictionary import NOTES, SEGMENTS, VOICE, WORDS, TableOf
from exports.errors import ExportError
from exports.rows import Row, RowSource

MAX_ROWS = 2_000_000  # audformat holds a table in memory: about 400 bytes a row and label
_FILE_KEYS = (
    *("recorded_at", "day", "status", "reason", "speech_ms", "duration_ms"),
    *(column.name for column in VOICE),
)


def write_audformat(
    source: RowSource, folder: Path, about: dict[str, Any], *, name_file: Callable[[int], str]
) -> dict[str, int]:
    """Write the tables `notes` (a row for each file) and `segments` (for each scored window); gives how many rows.

    Args:
        source: the rows.
        folder: where the database goes.
        about: goes into its header.
        name_file: the name of a recording's file in the tables, by its id.

    Raises:
        ExportError: audformat is not installed, no model is active, or a table has more than `MAX_ROWS`.
    """
    audformat, pandas = _import()
    if source.model is None:
        raise ExportError(
            "Tables of audformat need a rater, and no model is active: run `tonalog models activate VERSION`."
        )
    database = audformat.Database("tonalog", description=WORDS, usage="other", meta=_plain(about))
    _declare(audformat, database, source.model)
    n_rows = {}
    for table in (NOTES, SEGMENTS):
        rows = _all_rows(source, table)
        files = [name_file(row["recording_id"]) for row in rows]
        index = audformat.filewise_index(files)
        if table is SEGMENTS:
            spans = ([pandas.to_timedelta(row[name], unit="ms") for row in rows] for name in ("start_ms", "end_ms"))
            index = audformat.segmented_index(files, *spans)
        database[table.name] = audformat.Table(index, description=table.meaning)
        _fill(audformat, database[table.name], rows, model=source.model)
        n_rows[table.name] = len(rows)
    database.save(str(folder), storage_format="parquet")
    return n_rows


def _all_rows(source: RowSource, table: TableOf) -> list[Row]:
    rows = []
    for row in source.read(table):
        rows.append(row)
        if len(rows) > MAX_ROWS:
            hint = "choose a shorter period with --since and --until, or take --format parquet"
            raise ExportError(
                f"{table.name} has more than {MAX_ROWS:,} rows, which audformat would hold in memory: {hint}"
            )
    return rows


def _declare(audformat: ModuleType, database: Any, model: Model) -> None:
    words = f"{model.name}-{model.version}: {WORDS}"
    database.raters["model"] = audformat.Rater("machine", description=words)
    database.schemes["label"] = audformat.Scheme("str", labels=list(model.labels))
    for label in model.labels:
        database.schemes[f"score.{label}"] = audformat.Scheme("float", minimum=0, maximum=1)
        database.schemes[f"relative.{label}"] = audformat.Scheme("float", minimum=0, maximum=1)
    for name in (*DIMENSIONS, "confidence"):
        database.schemes[name] = audformat.Scheme("float")
    database.schemes["is_uncertain"] = audformat.Scheme("bool")
    database.schemes["speaker"] = audformat.Scheme("str")
    for name, kind in (("recorded_at", "date"), ("day", "str"), ("status", "str"), ("reason", "str")):
        database.schemes[name] = audformat.Scheme(kind)
    for column in VOICE:
        database.schemes[column.name] = audformat.Scheme("float", description=column.meaning)
    for name in ("speech_ms", "duration_ms"):
        database.schemes[name] = audformat.Scheme("int")


def _fill(audformat: ModuleType, table: Any, rows: list[Row], *, model: Model) -> None:
    columns: dict[str, list[Any]] = {"speaker": [row["subject"] for row in rows]}
    rated = {f"score.{label}": [(row["scores"] or {}).get(label) for row in rows] for label in model.labels}
    rated |= {name: [row[name] for row in rows] for name in DIMENSIONS}
    if rows and "status" in rows[0]:
        for name in _FILE_KEYS:
            columns[name] = [None if row[name] is None else _cell(name, row[name]) for row in rows]
        rated |= {name: [row[name] for row in rows] for name in ("label", "confidence", "is_uncertain")}
        for label in model.labels:
            rated[f"relative.{label}"] = [(row["relative"] or {}).get(label) for row in rows]
    for name, values in {**columns, **rated}.items():
        table[name] = audformat.Column(scheme_id=name, rater_id="model" if name in rated else None)
        if values:
            table[name].set(values)


def _cell(name: str, value: Any) -> Any:
    return value.isoformat() if name == "day" else value


def _plain(about: dict[str, Any]) -> dict[str, Any]:
    return {name: str(about[name]) for name in ("tonalog", "taken_at", "tenant")}


def _import() -> tuple[ModuleType, ModuleType]:
    try:
        import audformat  # noqa: PLC0415 - an extra
        import pandas  # noqa: PLC0415, ICN001
    except ModuleNotFoundError as error:
        raise ExportError("Tables of audformat need their extra: pip install 'tonalog[audformat]'.") from error
    return audformat, pandas
