"""What `show`, `trends` and the report of `run` say of a person: both scores by name, and the trend in words."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from db_samples import new_sqlite
from people_samples import add_model, add_notes, draw_scores, make_scores

from config.settings import Settings
from people import refresh
from tonalog import run_report
from tonalog.cli import cli
from tonalog.local_run import Place


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    return new_sqlite(tmp_path)


def call(*words):
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def fill(engine, scores):
    """One note a day, the last one today."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=len(scores) - 1)
    ids = add_notes(engine, add_model(engine), "anna", scores, start=start)
    refresh(engine)
    return ids


def test_trends_begin_with_the_trend_in_words(engine):
    fill(engine, make_scores(4))

    assert call("trends", "anna").splitlines()[0] == "Trend: too few notes yet: 4 of 60 days."


def test_a_shift_is_said_first_and_since_when(engine):
    rng = np.random.default_rng(4)
    scores = [draw_scores(rng, (0.0, 0.0, 0.0, -2.0)) for _ in range(60)]
    fill(engine, [*scores, *(draw_scores(rng, (0.0, 0.0, 0.0, 3.0)) for _ in range(30))])

    first = call("trends", "anna").splitlines()[0]

    assert "in the voice than is usual for this person, since about 20" in first


def test_both_scores_are_shown_by_name(engine):
    ids = fill(engine, make_scores(7))

    notes = json.loads(call("trends", "anna", "--json"))
    table = call("trends", "anna")

    assert [note["relative"]["n_notes"] for note in notes] == [0, 1, 1, 3, 3, 5, 5]
    assert [note["relative"]["state"] for note in notes] == ["insufficient"] * 5 + ["personal"] * 2
    assert notes[0]["relative"]["scores"] is None
    assert sum(notes[6]["relative"]["scores"].values()) == pytest.approx(1)
    assert notes[6]["relative"]["scores"] != notes[6]["scores"]
    assert "relative" in table
    assert "somebody who always sounds sad looks ordinary here" in table
    assert "too few earlier notes of this person yet: 3 of 5" in call("show", str(ids[3]))
    assert "against the person's first 5 notes" in call("show", str(ids[6]))


def test_a_model_without_a_baseline_rule_shows_no_relative_scores(engine):
    start = datetime.now(UTC).replace(microsecond=0)
    (only,) = add_notes(engine, add_model(engine, section=None), "anna", make_scores(1), start=start)
    refresh(engine)

    assert "relative" not in call("show", str(only))
    assert "relative" not in call("trends", "anna")


def test_the_report_of_a_run_says_how_many_notes_are_judged(engine, capsys):
    fill(engine, make_scores(7))

    run_report.print_report(engine, Place("local", "notes", ""), Settings.read())

    said = " ".join(capsys.readouterr().out.split())
    assert "2 notes are judged, 5 have fewer than 5 earlier notes of their person" in said
