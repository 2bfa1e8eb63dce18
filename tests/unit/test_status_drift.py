"""`tonalog status` tells in one line how the scores of the active model have drifted."""

import json

import pytest
from click.testing import CliRunner
from compare_samples import add_versions
from db_samples import new_sqlite

from db.drift import write_drift
from db.reasons import DriftState
from tests.unit.test_db_drift import FIRST, a_night
from tonalog.commands.status import status_command


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    monkeypatch.delenv("TONALOG_DATABASE_URL", raising=False)
    return new_sqlite(tmp_path)


def show(*given):
    done = CliRunner().invoke(status_command, given, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_before_the_first_night_it_says_what_measures(engine):
    assert "Drift of scores: not measured yet: the nightly run does" in show()
    assert json.loads(show("--json"))["drift"] is None


def test_what_has_moved_is_named_with_its_limit_and_other_models_are_not_told(engine):
    a, b = add_versions(engine)
    write_drift(engine, a_night(a))
    write_drift(engine, a_night(b, state=DriftState.TOO_FEW, measures=()))

    drift = json.loads(show("--json"))["drift"]

    assert "Drift of scores: moved in the night of 2026-11-02: sadness by 0.050 bits (limit 0.030)" in show()
    assert (drift["model"], drift["night"], drift["state"]) == ("whisper3-1.0", FIRST.isoformat(), "moved")
    assert drift["moved"] == ["sadness"]
    assert drift["largest"] == {"of": "sadness", "divergence": 0.05, "limit": 0.03}


@pytest.mark.parametrize(
    ("state", "told"), [(DriftState.STABLE, "stable in the night"), (DriftState.TOO_FEW, "too few notes or persons")]
)
def test_a_quiet_night_and_one_of_too_few_notes_read_otherwise(engine, state, told):
    a, _ = add_versions(engine)
    measures = () if state is DriftState.TOO_FEW else a_night(a).measures
    write_drift(engine, a_night(a, state=state, measures=measures))

    assert f"Drift of scores: {told}" in show()
