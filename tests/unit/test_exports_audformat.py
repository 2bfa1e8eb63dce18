"""audformat loads its export, with every score at its file and place."""

import audformat
import pandas as pd
import pytest
from api_samples import fill
from db_samples import new_sqlite, scores
from export_samples import UNUSUAL, export, keep_person

from db import recordings
from exports import audformat_tables
from exports.errors import ExportError
from exports.write import Format


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def loaded(engine, tmp_path):
    fill(engine)
    keep_person(engine)
    export(engine, tmp_path / "out", Format.AUDFORMAT)
    return audformat.Database.load(str(tmp_path / "out"))


def test_audformat_loads_notes_by_file(loaded):
    notes = loaded["notes"].df

    assert list(notes.index) == [str(n) for n in range(1, 9)]
    assert notes.loc["1", [f"score.{label}" for label in scores()]].tolist() == pytest.approx(list(scores().values()))
    assert notes.loc["4", [f"relative.{label}" for label in UNUSUAL]].tolist() == pytest.approx(list(UNUSUAL.values()))
    assert (notes.loc["1", "label"], notes.loc["1", "speaker"], notes.loc["3", "reason"]) == (
        "sadness",
        "anna",
        "NOT_AUDIO",
    )
    assert pd.isna(notes.loc["3", "score.anger"])
    assert notes["is_uncertain"].isna().sum() == 2


def test_audformat_loads_segments_at_their_place_in_the_file(loaded):
    segments = loaded["segments"].df

    first = segments.loc["1"].sort_index()
    starts = first.index.get_level_values("start").total_seconds()
    assert list(starts) == [0.0, 4.5]
    assert first["score.sadness"].tolist() == pytest.approx([0.4, 0.4])
    assert len(segments) == 12


def test_the_model_is_the_rater_and_its_scores_say_so(loaded):
    assert "whisper3-1.0" in loaded.raters["model"].description
    assert loaded["notes"]["score.anger"].rater_id == "model"
    assert loaded["notes"]["speaker"].rater_id is None


def test_an_export_without_notes_can_be_loaded(engine, tmp_path):
    fill(engine)

    written = export(engine, tmp_path / "out", Format.AUDFORMAT, tenant="nobody")

    assert len(audformat.Database.load(str(tmp_path / "out"))["segments"].df) == 0
    assert written.n_rows == {"notes": 0, "segments": 0}


def test_more_rows_than_fit_into_memory_are_refused(engine, tmp_path, monkeypatch):
    fill(engine)
    monkeypatch.setattr(audformat_tables, "MAX_ROWS", 5)

    with pytest.raises(ExportError, match=r"notes has more than 5 rows.*--format parquet"):
        export(engine, tmp_path / "out", Format.AUDFORMAT)
    assert not (tmp_path / "out").exists()


def test_without_a_model_there_is_no_rater(engine, tmp_path):
    recordings.register(engine, [])

    with pytest.raises(ExportError, match="no model is active"):
        export(engine, tmp_path / "out", Format.AUDFORMAT)


def test_files_have_their_keys_only_where_that_is_asked_for(engine, tmp_path):
    fill(engine)

    export(engine, tmp_path / "keys", Format.AUDFORMAT, has_keys=True)
    export(engine, tmp_path / "ids", Format.AUDFORMAT)

    keys, ids = (audformat.Database.load(str(tmp_path / name)).files for name in ("keys", "ids"))
    assert set(keys) == {*(f"anna/{n}.wav" for n in range(6)), "anna/x.wav", "ben.wav"}
    assert not [name for name in ids if not name.isdecimal()]
