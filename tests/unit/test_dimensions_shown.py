"""Arousal and valence from the graph to the commands that print them, and on the way into rows."""

import io
import json

import pytest
import soundfile
from click.testing import CliRunner
from db_samples import a_recording, a_result, add_active_model, new_sqlite, silence, take

from db import jobs, ledger, pump, recordings
from db.reasons import Lane
from tests.unit.bundles import DIMENSIONS, WEIGHTS, make_graph, write_bundle
from tests.unit.sounds import RATE_HZ, make_silence, make_voice
from tonalog.commands.read import show_command, trends_command
from tonalog.commands.score import score_command
from worker.audio.decode import Limits
from worker.job import to_result
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

CHANCES = [0.1, 0.2, 0.3, 0.4]
SAID = {"arousal": pytest.approx(0.3), "valence": pytest.approx(-0.3)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    graph = make_graph(constant=CHANCES, weights_of=WEIGHTS)
    return write_bundle(tmp_path_factory.mktemp("bundle"), graph, dimensions=DIMENSIONS)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY"):
        monkeypatch.delenv(f"TONALOG_{name}", raising=False)
    return tmp_path


@pytest.fixture
def stored(home):
    """Three notes of anna's: one with dimensions, one of a model that says nothing of them, one of silence."""
    engine = new_sqlite(home)
    model = add_active_model(engine)
    ends = {"a.ogg": a_result(dimensions={"arousal": 0.75, "valence": -0.25}), "b.ogg": a_result(), "c.ogg": silence()}
    recordings.register(engine, [a_recording(key, subject="anna") for key in ends])
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    for job_id, _ in pump.due_jobs(engine, cap_outstanding=9, limit=9):
        claim = take(engine, job_id)
        ledger.finish(engine, claim, ends[claim.recording.key])


def write_note(folder, signal):
    path = folder / "note.wav"
    soundfile.write(path, signal, RATE_HZ)
    return path


def call(command, *arguments, code=0):
    result = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_score_prints_those_of_the_note_and_of_each_segment(home, bundle):
    note = write_note(home, make_voice(12.0))

    row = json.loads(call(score_command, "--json", "--model", bundle, note))

    assert row["dimensions"] == SAID
    assert [segment["dimensions"] for segment in row["segments"]] == [SAID, SAID]
    assert "arousal 0.30  valence -0.30" in call(score_command, "--model", bundle, note)


def test_score_prints_none_of_silence_of_a_broken_file_and_of_a_bundle_that_has_none(home, bundle, tmp_path):
    plain = write_bundle(tmp_path / "plain", make_graph(constant=CHANCES))
    voice = json.loads(call(score_command, "--json", "--model", plain, write_note(home, make_voice(2.0))))
    quiet = json.loads(call(score_command, "--json", "--model", bundle, write_note(home, make_silence(3.0))))
    broken = json.loads(call(score_command, "--json", "--model", bundle, home / "gone.wav", code=1))

    assert [voice["dimensions"], voice["segments"][0]["dimensions"]] == [{}, {}]
    assert [(row["status"], row["dimensions"]) for row in (quiet, broken)] == [("no_speech", {}), ("failed", {})]


def test_trends_tell_them_of_each_note_that_has_some(stored):
    notes = json.loads(call(trends_command, "anna", "--json"))

    assert {note["key"]: note["dimensions"] for note in notes} == {
        "a.ogg": {"arousal": 0.75, "valence": -0.25},
        "b.ogg": {},
        "c.ogg": {},
    }


def test_show_has_two_more_columns_only_where_there_is_something_in_them(stored):
    shown, without = call(show_command, "a.ogg"), call(show_command, "b.ogg")

    assert "arousal 0.75, valence -0.25" in shown
    assert [line.split()[-2:] for line in shown.splitlines() if line.lstrip().startswith("0:0")] == [
        ["0.75", "-0.25"]
    ] * 2
    assert "arousal" not in without


def test_the_row_of_a_note_has_what_its_score_has(bundle):
    file = io.BytesIO()
    soundfile.write(file, make_voice(12.0), RATE_HZ, format="WAV")
    file.seek(0)
    note = score_recording(file, Scorer(load_bundle(bundle)), limits=Limits())

    row = to_result(note, audio_sha256="0" * 64)

    assert row.dimensions == note.dimensions == SAID
    assert [segment.dimensions for segment in row.segments] == [SAID, SAID]
    assert row.trend["arousal"]["start_mean"] == pytest.approx(0.3)
