"""On which scale each measure of a person's days is compared, and that the length of notes moves none of the voice's."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.trend_voice import describe_bias, find_levels, make_pools, share_flagged
from db.people_rows import OF_VOICE
from trends import VOICE_MEASURES, NoteSpread, Scale, TrendSettings, find_measure, read_note_level, to_logit
from worker.audio.voice import STRETCH_MS

VALUES = {
    "pitch_median_hz": 187.0,
    "pitch_spread_semitones": 2.5,
    "level_spread_db": 5.0,
    "onsets_per_s": 4.2,
    "pause_share": 0.2,
}


@pytest.fixture(scope="module")
def pools():
    return make_pools(np.random.default_rng(5), 120, (1.0, 2.0, 15.0))


@pytest.mark.parametrize(("name", "value"), VALUES.items())
def test_a_value_comes_back_from_its_level(name, value):
    measure = VOICE_MEASURES[name]

    assert measure.from_level(measure.to_level(value)) == pytest.approx(value)


def test_every_measure_that_days_are_made_of_is_one_that_notes_have():
    assert set(VALUES) == set(VOICE_MEASURES)
    assert "speaking_share" not in VOICE_MEASURES
    assert set(OF_VOICE) == set(VOICE_MEASURES)


@pytest.mark.parametrize(("low", "high"), [(100.0, 200.0), (150.0, 300.0)])
def test_an_octave_is_twelve_semitones_for_every_voice(low, high):
    measure = VOICE_MEASURES["pitch_median_hz"]

    assert measure.to_level(high) - measure.to_level(low) == pytest.approx(12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pitch_median_hz", 0.0),
        ("pause_share", 1.1),
        ("onsets_per_s", float("nan")),
        ("level_spread_db", float("inf")),
        ("pause_share", -0.1),
    ],
)
def test_what_is_no_value_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}; allowed is"):
        VOICE_MEASURES[name].to_level(value)


def test_silence_without_end_has_a_finite_level():
    assert VOICE_MEASURES["pause_share"].to_level(1.0) == pytest.approx(101)


def test_any_other_name_is_a_label_whose_level_is_in_the_trend():
    trend = {"fear": {"level": -1.5, "spread": 0.4, "n_effective": 3.2}}

    note = read_note_level("fear", trend=trend, voice=VALUES, speech_s=26.0, is_uncertain=True)

    assert find_measure("fear").scale is Scale.LOG_ODDS
    assert (note.level, note.spread, note.n_windows, note.is_uncertain) == (-1.5, 0.4, 3.2, True)
    with pytest.raises(ValueError, match="fear is a label"):
        find_measure("fear").to_level(0.3)


def test_what_a_result_does_not_hold_is_no_note():
    assert read_note_level("anger", trend={"anger": {"volatility": 0.0}}, voice=VALUES, speech_s=9.0) is None
    assert read_note_level("pitch_spread_semitones", trend={}, voice={"pause_share": 0.0}, speech_s=3.0) is None


def test_a_note_counts_by_the_stretches_that_it_was_measured_in_and_not_by_its_label():
    short, long = (
        read_note_level("onsets_per_s", trend={}, voice=VALUES, speech_s=seconds, is_uncertain=True)
        for seconds in (2.0, 40.0)
    )

    assert (short.n_windows, long.n_windows) == (1.0, 40_000 / STRETCH_MS)
    assert not long.is_uncertain


@pytest.mark.parametrize("name", VALUES)
def test_settings_know_the_scale_of_a_measure(name):
    adapted = VOICE_MEASURES[name].adapt_settings(TrendSettings(n_measures=5))

    assert adapted.smallest_sd == VOICE_MEASURES[name].smallest_sd
    assert adapted.n_measures == 5
    assert find_measure("sadness").adapt_settings(TrendSettings(smallest_sd=0.3)) == TrendSettings(smallest_sd=0.3)
    assert find_measure("sadness").spread == NoteSpread()


@pytest.mark.parametrize("name", VALUES)
def test_the_length_of_notes_moves_no_measure(pools, name):
    bias = describe_bias(pools)[name]

    assert max(abs(moved) for moved in bias.values()) < 0.3


def test_log_odds_of_pauses_would_move_with_the_length_of_notes(pools):
    def middle(length):
        return np.mean(to_logit([note["pause_share"] for note in pools[length]]))

    odds = {length: find_levels(VOICE_MEASURES["pause_share"], notes) for length, notes in pools.items()}

    assert middle(15.0) - middle(1.0) > 0.25
    assert abs(odds[15.0].mean() - odds[1.0].mean()) < 0.06


@pytest.mark.parametrize("name", ["pitch_median_hz", "pause_share"])
def test_few_are_flagged_whose_notes_only_become_shorter(pools, name):
    flagged = share_flagged(
        VOICE_MEASURES[name], pools, before=15.0, after=2.0, n_people=40, n_baseline=60, n_monitored=90, seed=3
    )

    assert flagged <= 0.1
