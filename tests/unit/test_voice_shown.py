"""Measures of the voice from the recording to the commands that print them."""

import json

import pytest
from db_samples import a_recording, a_result, add_active_model, new_sqlite, take

from db import jobs, ledger, recordings
from db.reasons import Lane
from tests.unit.bundles import make_graph, write_bundle
from tests.unit.sounds import make_silence, make_voice
from tests.unit.test_dimensions_shown import CHANCES, call, home, write_note
from tonalog.commands.read import show_command
from tonalog.commands.score import score_command

__all__ = ["home"]
SPREADS = {"pitch_spread_semitones", "level_spread_db"}
EVERY = {"speaking_share", "pause_share", "onsets_per_s", "pitch_median_hz", *SPREADS}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundle"), make_graph(constant=CHANCES))


def test_score_prints_every_measure_of_a_note_and_no_spread_of_a_short_one(home, bundle):
    long, short = (
        json.loads(call(score_command, "--json", "--model", bundle, write_note(home, make_voice(duration_s))))
        for duration_s in (12.0, 3.0)
    )

    assert set(long["voice"]) == EVERY
    assert set(short["voice"]) == EVERY - SPREADS
    assert long["voice"]["pitch_median_hz"] == pytest.approx(140, rel=0.05)


def test_score_prints_none_of_silence_and_of_a_broken_file(home, bundle):
    quiet = json.loads(call(score_command, "--json", "--model", bundle, write_note(home, make_silence(3.0))))
    broken = json.loads(call(score_command, "--json", "--model", bundle, home / "gone.wav", code=1))

    assert [(row["status"], row["voice"]) for row in (quiet, broken)] == [("no_speech", {}), ("failed", {})]


def test_show_has_a_line_of_them_only_where_there_are_some(home):
    engine = new_sqlite(home)
    model = add_active_model(engine)
    recordings.register(engine, [a_recording(key, subject="anna") for key in ("a.ogg", "b.ogg")])
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    ledger.finish(engine, take(engine, 1), a_result(voice={"pitch_median_hz": 187.44, "pause_share": 0.125}))
    ledger.finish(engine, take(engine, 2), a_result())

    assert "voice: pitch_median_hz 187.44, pause_share 0.12" in call(show_command, "a.ogg")
    assert "voice:" not in call(show_command, "b.ogg")
