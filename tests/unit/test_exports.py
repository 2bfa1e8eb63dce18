"""Exports hold every row that the views show, with the same numbers; also run on PostgreSQL in tests/integration."""

import csv
import json
from datetime import date

import duckdb
import pyarrow.parquet as pq
import pytest
from api_samples import fill
from db_samples import (
    a_model,
    a_recording,
    a_result,
    add_active_model,
    days_later,
    new_sqlite,
    score_all,
    scores,
    take,
)
from export_samples import UNUSUAL, export, keep_person
from sqlalchemy import text

from config.escaping import read_cell
from db import erasures, jobs, ledger, models, recordings
from db.erasures import Chosen
from db.errors import ErasedMeanwhile, RowNotFound
from db.reasons import ErasureScope, Lane
from db.snapshot import Selection, take_snapshot
from exports import write
from exports.errors import ExportError
from exports.write import Format

READERS = {
    Format.CSV: "read_csv('{path}.csv', auto_detect=true)",
    Format.JSONL: "read_json('{path}.jsonl', format='newline_delimited')",
    Format.PARQUET: "read_parquet('{path}.parquet')",
}
VIEWS = {"notes": "v1_note", "segments": "v1_segment", "days": "subject_days", "trends": "subject_trends"}
# Columns with the same name and meaning in view and file, and which of them order the rows.
SHARED = {
    "notes": ["recording_id", "subject", "status", "reason", "label", "confidence", "anger", "happiness", "neutral"],
    "segments": ["recording_id", "idx", "start_ms", "end_ms", "speech_ms", "anger", "sadness", "arousal", "valence"],
    "days": ["subject", "day", "week", "n_scored", "n_no_speech", "n_failed", "n_pending", "speech_ms", "arousal"],
    "trends": ["subject", "measure", "state", "reason", "as_of", "since"],
}
NAMES = (
    *("=1+1", "@SUM(A1)", "-1", "+cmd|' /C calc'!A0", "a;=1", "'quoted'", '"doubled"', "a,b", "null", "1e5", "true"),
    *("josé", "名前", "\u0645\u0631\u062d\u0628\u0627", "a\\nb", "<script>", "C:\\", " ' "),
)


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def read(folder, form, table, columns):
    source = READERS[form].format(path=folder / table)
    return duckdb.sql(f"SELECT {', '.join(columns)} FROM {source} ORDER BY ALL").fetchall()


def view(engine, table, columns, tenant="default"):
    asked = f"SELECT {', '.join(columns)} FROM {VIEWS[table]} WHERE tenant = :tenant ORDER BY 1, 2"
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(asked), {"tenant": tenant})]


def plain(rows):
    return [tuple(str(value) if isinstance(value, date) else value for value in row) for row in rows]


@pytest.mark.parametrize("table", VIEWS)
@pytest.mark.parametrize("form", READERS)
def test_duckdb_reads_the_same_numbers_as_the_views_show(engine, tmp_path, form, table):
    fill(engine)
    keep_person(engine)

    export(engine, tmp_path / "out", form)

    found = plain(read(tmp_path / "out", form, table, SHARED[table]))
    assert found == plain(view(engine, table, SHARED[table]))
    assert len(found) > 1


@pytest.mark.parametrize("form", READERS)
def test_another_tenants_rows_are_in_no_export(engine, tmp_path, form):
    fill(engine)

    own = export(engine, tmp_path / "own", form)
    clinic = export(engine, tmp_path / "clinic", form, tenant="clinic")

    assert (own.n_rows["notes"], clinic.n_rows["notes"]) == (8, 3)
    ids = [{row[0] for row in read(tmp_path / name, form, "notes", ["recording_id"])} for name in ("own", "clinic")]
    assert not ids[0] & ids[1]


def test_only_notes_of_the_chosen_days_and_person_are_exported(engine, tmp_path):
    fill(engine)
    keep_person(engine)
    period = {"since": days_later(1).date(), "until": days_later(3).date()}

    export(engine, tmp_path / "days", Format.JSONL, subject="anna", **period)
    export(engine, tmp_path / "ben", Format.JSONL, subject="ben")

    assert [row[0] for row in read(tmp_path / "days", Format.JSONL, "notes", ["recording_id"])] == [2, 3, 4]
    assert {row[0] for row in read(tmp_path / "days", Format.JSONL, "segments", ["recording_id"])} == {4}
    days = [str(row[0]) for row in read(tmp_path / "days", Format.JSONL, "days", ["day"])]
    assert days == [str(days_later(n).date()) for n in (1, 2, 3)]
    assert read(tmp_path / "ben", Format.JSONL, "notes", ["subject"]) == [("ben",)]


@pytest.mark.parametrize("form", READERS)
def test_more_notes_than_a_page_are_all_there_once(engine, tmp_path, form, monkeypatch):
    fill(engine)
    monkeypatch.setattr("db.snapshot.PAGE", 3)
    monkeypatch.setattr("exports.parquet.ROW_GROUP", 4)
    monkeypatch.setattr("exports.parquet._BATCH", 2)

    written = export(engine, tmp_path / "out", form)

    ids = [row[0] for row in read(tmp_path / "out", form, "notes", ["recording_id"])]
    assert ids == sorted(set(ids)) == [row[0] for row in view(engine, "notes", ["recording_id", "subject"])]
    assert written.n_rows["segments"] == len(view(engine, "segments", ["recording_id", "idx"]))


def register_names(engine):
    add_active_model(engine)
    recordings.register(
        engine, [a_recording(f"{n}.wav", subject=name, recorded_at=days_later(n)) for n, name in enumerate(NAMES)]
    )
    jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
    score_all(engine)


@pytest.mark.parametrize("form", READERS)
def test_names_come_back_as_they_are(engine, tmp_path, form):
    register_names(engine)

    export(engine, tmp_path / "out", form)

    options = "'{path}.csv', all_varchar=true" if form is Format.CSV else None
    source = (f"read_csv({options})" if options else READERS[form]).format(path=tmp_path / "out" / "notes")
    found = [row[0] for row in duckdb.sql(f"SELECT subject FROM {source} ORDER BY recording_id::INT").fetchall()]
    assert [read_cell(name) if form is Format.CSV else name for name in found] == list(NAMES)


def test_no_cell_of_a_csv_is_a_formula(engine, tmp_path):
    register_names(engine)

    export(engine, tmp_path / "out", Format.CSV)

    with (tmp_path / "out" / "notes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [read_cell(row["subject"]) for row in rows] == list(NAMES)
    assert [row["subject"] for row in rows if row["subject"].lstrip().startswith(("=", "+", "-", "@"))] == []
    assert (tmp_path / "out" / "notes.csv").read_bytes().endswith(b"\r\n")


def test_a_negative_number_of_a_csv_is_a_number(engine, tmp_path):
    fill(engine)

    export(engine, tmp_path / "out", Format.CSV)

    with (tmp_path / "out" / "notes.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["valence"] == "-0.5"


def test_a_fifth_label_is_in_every_format(engine, tmp_path):
    labels = ("anger", "fear", "happiness", "neutral", "sadness")
    add_active_model(engine, labels=labels)
    recordings.register(engine, [a_recording("a.wav", subject="anna", recorded_at=days_later(0))])
    jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
    pooled = {"fear": 0.6, **{name: value * 0.4 for name, value in scores().items()}}
    ledger.finish(engine, take(engine, 1), a_result(pooled=pooled))
    for form in READERS:
        export(engine, tmp_path / form, form)
        for table in ("notes", "segments"):
            (row, *_) = read(tmp_path / form, form, table, ["subject", "scores"])
            found = json.loads(row[1]) if isinstance(row[1], str) else row[1]
            assert dict(found) == pytest.approx(pooled)


def test_parquet_has_types_times_in_utc_and_says_which_model_scored(engine, tmp_path):
    fill(engine)

    export(engine, tmp_path / "out", Format.PARQUET)

    file = pq.ParquetFile(tmp_path / "out" / "notes.parquet")
    schema = file.schema_arrow
    assert [str(schema.field(name).type) for name in ("recorded_at", "recorded_at_local", "day", "anger")] == [
        "timestamp[us, tz=UTC]",
        "timestamp[us]",
        "date32[day]",
        "double",
    ]
    about = json.loads(schema.metadata[b"tonalog"])
    assert about["model"] == {
        "name": "whisper3",
        "version": "1.0",
        "labels": ["anger", "happiness", "neutral", "sadness"],
    }
    (first, *_) = file.read().to_pylist()
    assert (first["recorded_at_local"] - first["recorded_at"].replace(tzinfo=None)).seconds == 3600


def test_another_model_has_rows_of_its_own(engine, tmp_path):
    fill(engine)
    keep_person(engine)
    models.add_model(engine, a_model("2.0"))

    written = export(engine, tmp_path / "out", Format.CSV, model="2.0")

    assert written.n_rows == {"notes": 8, "segments": 0, "days": 0, "trends": 0}
    assert {row[0] for row in read(tmp_path / "out", Format.CSV, "notes", ["status"])} == {"pending"}
    with pytest.raises(RowNotFound, match="there is no model 9"):
        export(engine, tmp_path / "none", Format.CSV, model="9")


@pytest.mark.parametrize("form", READERS)
def test_relative_scores_stand_beside_what_the_model_hears(engine, tmp_path, form):
    fill(engine)
    keep_person(engine)

    export(engine, tmp_path / "out", form)

    columns = ["recording_id", "label", "relative_label", "relative_confidence", "baseline_n_notes", "relative"]
    found = {row[0]: row[1:] for row in read(tmp_path / "out", form, "notes", columns)}
    assert found[4][:4] == ("sadness", "anger", 0.4, 2)
    relative = found[4][4]
    assert dict(json.loads(relative) if isinstance(relative, str) else relative) == UNUSUAL
    assert found[1][:4] == ("sadness", None, None, 0)


def test_people_whose_days_are_not_made_anew_yet_are_counted(engine, tmp_path):
    fill(engine)
    keep_person(engine)

    written = export(engine, tmp_path / "out", Format.CSV)
    anna = export(engine, tmp_path / "anna", Format.CSV, subject="anna")

    assert (written.n_behind, anna.n_behind) == (1, 0)
    assert json.loads((tmp_path / "out" / "export.json").read_text())["n_behind"] == 1


@pytest.mark.parametrize("form", READERS)
def test_a_database_without_a_model_is_exported_as_pending(engine, tmp_path, form):
    recordings.register(engine, [a_recording("a.wav", subject="anna")])

    written = export(engine, tmp_path / "out", form)

    assert written.n_rows == {"notes": 1, "segments": 0, "days": 0, "trends": 0}


def test_what_is_written_meanwhile_is_in_no_table(engine, tmp_path):
    fill(engine)
    keep_person(engine)
    with take_snapshot(engine) as snapshot:
        chosen = Selection(tenant="default", model_id=1)
        before = len(list(snapshot.notes(chosen)))
        recordings.register(engine, [a_recording("late.wav", subject="anna")])
        models.activate(engine, models.add_model(engine, a_model("2.0")).id, force=True)

        assert len(list(snapshot.notes(chosen))) == before
        assert len(list(snapshot.days(chosen))) == 4
    assert len(view(engine, "notes", ["recording_id", "subject"])) == before + 1


def test_an_export_during_which_somebody_is_erased_is_not_kept(engine, tmp_path, monkeypatch):
    fill(engine)
    describe = write.describe

    def erase(*arguments, **others):
        erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL)
        return describe(*arguments, **others)

    monkeypatch.setattr(write, "describe", erase)

    with pytest.raises(ErasedMeanwhile, match="run it again"):
        export(engine, tmp_path / "out", Format.CSV)
    assert list(tmp_path.glob("*out*")) == []


def test_what_was_erased_before_is_in_no_file(engine, tmp_path):
    fill(engine)
    erasures.begin(engine, Chosen(subject="anna"), scope=ErasureScope.ALL)

    export(engine, tmp_path / "out", Format.CSV)

    assert "anna" not in "".join(path.read_text() for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_name_that_is_taken_is_refused_and_stays_as_it_is(engine, tmp_path, name):
    (tmp_path / name).write_text("mine")

    with pytest.raises(ExportError, match="is there already"):
        export(engine, tmp_path / name, Format.CSV)
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_is_not_there_is_refused(engine, tmp_path):
    with pytest.raises(ExportError, match="cannot be written to"):
        export(engine, tmp_path / "none" / "out", Format.CSV)


def test_only_its_user_may_read_an_export(engine, tmp_path):
    fill(engine)
    for name in ("out", "out.zip"):
        export(engine, tmp_path / name, Format.CSV)

    assert [(tmp_path / name).stat().st_mode & 0o077 for name in ("out", "out.zip")] == [0, 0]
