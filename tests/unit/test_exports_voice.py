"""Measures of the voice are in every export, with the numbers that the views show; also run on PostgreSQL in tests/integration."""

import json

import audformat
import duckdb
import numpy as np
import pytest
from db_samples import new_sqlite
from export_samples import export
from fhir.resources.R4B.codesystem import CodeSystem
from fhir.resources.R4B.observation import Observation
from sqlalchemy import text

from exports.dictionary import DAYS, NOTES, VOICE
from exports.write import Format
from tests.unit.test_exports import READERS
from tests.unit.test_people_voice import N_DAYS, fill, speak
from trends import VOICE_MEASURES, find_measure

NAMES = (*VOICE_MEASURES, "speaking_share")
SHORT_NOTE = {"pause_share": 0.0, "onsets_per_s": 4.0, "speaking_share": 0.5}


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def view(engine, asked):
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(text(asked))]


def read_json(value):
    return json.loads(value) if isinstance(value, str) else value


def table(folder, form, name):
    relation = duckdb.sql(f"SELECT * FROM {READERS[form].format(path=folder / name)}")
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def fill_days(engine, *, n_days=N_DAYS):
    """One note a day, the last of them too short for a melody; pitch rises after the baseline."""
    rng = np.random.default_rng(2)
    fill(engine, voices=[*(speak(rng, day) for day in range(n_days - 1)), SHORT_NOTE])


@pytest.mark.parametrize("form", READERS)
def test_notes_have_the_voice_that_the_view_shows_and_nothing_where_it_has_none(engine, tmp_path, form):
    fill_days(engine, n_days=20)

    export(engine, tmp_path / "out", form)

    expected = {row["recording_id"]: read_json(row["voice"]) for row in view(engine, "SELECT * FROM v1_note")}
    found = {
        row["recording_id"]: {name: row[name] for name in NAMES if row[name] is not None}
        for row in table(tmp_path / "out", form, "notes")
    }
    assert found == {note: pytest.approx(voice) for note, voice in expected.items()}
    assert sum(len(voice) == len(NAMES) for voice in found.values()) == 19


@pytest.mark.parametrize("form", READERS)
def test_days_have_the_value_of_each_level_that_the_view_shows(engine, tmp_path, form):
    fill_days(engine, n_days=20)

    export(engine, tmp_path / "out", form)

    levels = [read_json(row["levels"]) for row in view(engine, "SELECT * FROM v1_subject_day ORDER BY day")]
    found = sorted(table(tmp_path / "out", form, "days"), key=lambda row: row["day"])
    assert len(found) == len(levels) == 20
    for row, known in zip(found, levels, strict=True):
        for name in VOICE_MEASURES:
            if name not in known:
                assert row[name] is None
            else:
                assert row[name] == pytest.approx(find_measure(name).from_level(known[name]["level"]))


def test_a_day_of_one_note_has_the_value_of_that_note(engine, tmp_path):
    fill_days(engine, n_days=5)

    export(engine, tmp_path / "out", Format.JSONL)

    notes = {row["day"]: row for row in table(tmp_path / "out", Format.JSONL, "notes")}
    for day in table(tmp_path / "out", Format.JSONL, "days"):
        assert [day[name] for name in VOICE_MEASURES] == pytest.approx(
            [notes[day["day"]][name] for name in VOICE_MEASURES], nan_ok=True
        )


@pytest.mark.parametrize("form", READERS)
def test_trends_say_their_scale_and_unit_and_what_is_usual_in_it(engine, tmp_path, form):
    fill_days(engine)

    export(engine, tmp_path / "out", form)

    known = {row["measure"]: row for row in view(engine, "SELECT * FROM v1_subject_trend")}
    found = {row["measure"]: row for row in table(tmp_path / "out", form, "trends")}
    assert set(found) == set(known) == {"anger", "happiness", "neutral", "sadness", *VOICE_MEASURES}
    for name, row in found.items():
        measure, mean = find_measure(name), read_json(known[name]["baseline"])["mean"]
        assert (row["scale"], row["unit"]) == (measure.scale.value, measure.unit)
        assert row["usual"] == pytest.approx(measure.from_level(mean))
        assert row["recent"] == pytest.approx(measure.from_level(mean + known[name]["difference"]))
    pitch = found["pitch_median_hz"]
    assert pitch["state"] == "shifted_up"
    assert 160 < pitch["usual"] < 200 < pitch["recent"] < 260


def test_a_trend_without_a_baseline_has_no_number(engine, tmp_path):
    fill_days(engine, n_days=5)

    export(engine, tmp_path / "out", Format.JSONL)

    found = table(tmp_path / "out", Format.JSONL, "trends")
    assert {(row["state"], row["usual"], row["recent"]) for row in found} == {("insufficient", None, None)}


def test_every_measure_that_a_note_can_have_is_a_column_with_its_unit_in_its_name():
    assert {column.name for column in VOICE} == set(speak(np.random.default_rng(1), 0))
    assert set(VOICE) <= set(NOTES.columns)
    of_days = {column.name for column in DAYS.columns}
    assert set(VOICE_MEASURES) <= of_days
    assert "speaking_share" not in of_days, "no measure of days, since it depends on how a note was cut"


CODES = {
    "pitch_median_hz": ("voice-pitch-median", "Hz"),
    "pitch_spread_semitones": ("voice-pitch-spread", None),
    "level_spread_db": ("voice-level-spread", "dB"),
    "onsets_per_s": ("voice-onsets", "/s"),
    "pause_share": ("voice-pause-share", "1"),
    "speaking_share": ("voice-speaking-share", "1"),
}


def test_an_observation_has_each_measure_with_its_unit_of_ucum_where_that_has_one(engine, tmp_path):
    fill_days(engine, n_days=3)

    export(engine, tmp_path / "out", Format.FHIR)

    known = [read_json(row["voice"]) for row in view(engine, "SELECT * FROM v1_note ORDER BY recording_id")]
    code_system = CodeSystem.model_validate_json((tmp_path / "out" / "CodeSystem.json").read_text())
    lines = (tmp_path / "out" / "Observation.ndjson").read_text(encoding="utf-8").splitlines()
    for line, voice in zip(lines, known, strict=True):
        Observation.model_validate_json(line)
        parts = {part["code"]["coding"][0]["code"]: part for part in json.loads(line)["component"]}
        assert set(parts) <= {concept.code for concept in code_system.concept}
        found = {code: part["valueQuantity"] for code, part in parts.items() if code.startswith("voice-")}
        assert {code: (quantity["value"], quantity.get("code")) for code, quantity in found.items()} == {
            CODES[name][0]: (value, CODES[name][1]) for name, value in voice.items()
        }
        assert all(("system" in quantity) == ("code" in quantity) for quantity in found.values())
    assert len(known[0]) == len(CODES) > len(known[-1])


def test_audformat_has_each_measure_of_a_note_which_no_rater_gave(engine, tmp_path):
    fill_days(engine, n_days=3)

    export(engine, tmp_path / "out", Format.AUDFORMAT)

    database = audformat.Database.load(str(tmp_path / "out"))
    notes = database["notes"].df
    for row in view(engine, "SELECT * FROM v1_note"):
        found = notes.loc[str(row["recording_id"]), list(NAMES)].dropna().to_dict()
        assert found == pytest.approx(read_json(row["voice"]))
    assert {database["notes"][name].rater_id for name in NAMES} == {None}
    assert "semitones" in database.schemes["pitch_spread_semitones"].description


def test_the_page_for_the_person_says_what_the_measures_are_and_shows_them(engine, tmp_path):
    fill_days(engine, n_days=3)

    export(engine, tmp_path / "out", Format.PERSON, subject="anna")

    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "need no model of emotions" in page
    for row in table(tmp_path / "out", Format.CSV, "notes"):
        if row["pitch_median_hz"] is not None:
            assert f"{row['pitch_median_hz']:.0f} Hz" in page
        assert f"{row['pause_share']:.0%} pauses" in page
