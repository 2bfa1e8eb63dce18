"""A bundle with a label beyond the four: from the graph through the database to every command that shows scores."""

import json
import sqlite3

import pytest
import soundfile
from click.testing import CliRunner
from db_samples import a_recording, a_result, new_sqlite, take

from config.settings import Settings
from db import jobs, ledger, models, pump, recordings
from db.reasons import Lane
from tests.unit.bundles import LABELS, make_graph, write_bundle
from tests.unit.sounds import RATE_HZ, make_voice
from tonalog import run_report
from tonalog.commands.read import show_command, trends_command
from tonalog.local_run import Place
from tonalog.report import labels_of, score_cells, shortened
from tonalog.session import register_bundle
from worker.audio.decode import Limits
from worker.job import to_result
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

FIVE = [*LABELS, "fear"]
CHANCES = [0.1, 0.15, 0.1, 0.05, 0.6]
SCORES = dict(zip(FIVE, CHANCES, strict=True))
KEY = "anna/note.wav"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY", "TENANT"):
        monkeypatch.delenv(f"TONALOG_{name}", raising=False)
    return tmp_path


@pytest.fixture
def engine(home):
    """One note of anna's, scored by a real graph of five labels as a worker does it."""
    engine = new_sqlite(home)
    bundle = write_bundle(home / "five", make_graph(constant=CHANCES), labels=FIVE)
    models.activate(engine, register_bundle(engine, bundle).id)
    recordings.register(engine, [a_recording(KEY, subject="anna", recorded_at=a_recording("x").uploaded_at)])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    soundfile.write(home / "note.wav", make_voice(12.0), RATE_HZ)
    ((job_id, _),) = pump.due_jobs(engine, cap_outstanding=9, limit=9)
    with (home / "note.wav").open("rb") as file:
        note = score_recording(file, Scorer(load_bundle(bundle)), limits=Limits())
    ledger.finish(engine, take(engine, job_id), to_result(note, audio_sha256="0" * 64))
    return engine


def call(command, *arguments):
    result = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def bold_cells(monkeypatch, module, *, run):
    """The cells that a command marks as the highest."""
    marked = []

    def watch(scores, label, *, labels):
        cells = score_cells(scores, label, labels=labels)
        marked.append([name for name, cell in zip(labels, cells, strict=True) if getattr(cell, "style", "") == "bold"])
        return cells

    monkeypatch.setattr(f"{module}.score_cells", watch)
    run()
    return marked


def test_show_lists_all_five_and_marks_the_highest_of_note_and_segments(engine, monkeypatch):
    shown = call(show_command, KEY)

    assert "fear; anger 0.10, happiness 0.15, neutral 0.10, sadness 0.05, fear 0.60" in shown
    heading = next(line for line in shown.splitlines() if line.split()[:3] == ["start", "end", "speech"])
    assert heading.split()[3:] == FIVE
    rows = [line.split()[-5:] for line in shown.splitlines() if line.lstrip().startswith("0:0")]
    assert rows == [["0.10", "0.15", "0.10", "0.05", "0.60"]] * len(rows)
    assert len(rows) == 2
    marked = bold_cells(monkeypatch, "tonalog.commands.read", run=lambda: call(show_command, KEY))
    assert marked == [["fear"], ["fear"]]


def test_trends_show_all_five_as_numbers_as_a_picture_and_as_json(engine, monkeypatch):
    (note,) = json.loads(call(trends_command, "anna", "--json"))
    printed = call(trends_command, "anna")

    assert list(note["scores"]) == FIVE
    assert note["scores"] == pytest.approx(SCORES, abs=1e-6)
    assert sum(note["scores"].values()) == pytest.approx(1)
    assert note["label"] == "fear"
    assert note["confidence"] == note["scores"]["fear"]  # to the last digit
    assert list(note["slope_per_min"]) == FIVE
    assert set(note["slope_per_min"].values()) == {None}  # of so few windows there is none
    assert [line.split()[0] for line in printed.splitlines() if "▅" in line] == ["fear"]
    marked = bold_cells(monkeypatch, "tonalog.commands.read", run=lambda: call(trends_command, "anna"))
    assert marked == [["fear"]]


@pytest.mark.parametrize("width", [80, 200])
def test_the_report_of_a_run_shows_all_five(engine, home, monkeypatch, capsys, width):
    monkeypatch.setattr("tonalog.screen._PIPE_WIDTH", width)

    def report():
        run_report.print_report(engine, Place("local", "notes", ""), Settings.read())

    marked = bold_cells(monkeypatch, "tonalog.run_report", run=report)

    lines = capsys.readouterr().out.splitlines()
    assert marked == [["fear"]]
    assert any("0.10 0.15 0.10 0.05 0.60" in " ".join(line.split()) for line in lines), lines
    assert max(len(line) for line in lines if not line.startswith("Database: ")) <= width


def test_the_view_shows_all_five(engine, home):
    (scores,) = ask(home, "SELECT scores FROM v1_note")

    assert json.loads(scores) == pytest.approx(SCORES, abs=1e-6)
    assert [json.loads(one) for one in ask(home, "SELECT scores FROM v1_segment")] == [
        pytest.approx(SCORES, abs=1e-6)
    ] * 2


def test_a_note_of_an_earlier_model_is_shown_with_the_labels_of_that_model(engine, home):
    four = write_bundle(home / "four", make_graph(constant=[0.4, 0.3, 0.2, 0.1]), version="0.0.2")
    model = models.activate(engine, register_bundle(engine, four).id, force=True)
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    ((job_id, _),) = pump.due_jobs(engine, cap_outstanding=9, limit=9)
    ledger.finish(engine, take(engine, job_id), a_result())

    shown = call(show_command, KEY)
    (note,) = json.loads(call(trends_command, "anna", "--json"))

    assert "tiny-0.0.1: fear; anger 0.10" in shown
    assert "tiny-0.0.2: sadness; anger 0.10, happiness 0.20, neutral 0.30, sadness 0.40\n" in shown
    assert list(note["scores"]) == LABELS


def test_without_a_model_the_four_emotions_are_the_headings():
    assert labels_of(None) == tuple(LABELS)
    assert score_cells(None, None, labels=FIVE) == [""] * 5
    assert shortened(FIVE) == ["ang", "hap", "neu", "sad", "fea"]


def ask(home, statement):
    with sqlite3.connect(home / "tonalog.db") as database:
        return [value for (value,) in database.execute(statement)]
