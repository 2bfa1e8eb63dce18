"""Measures of a voice: what they are of, what they do not depend on, and where there are none."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from tests.unit.bundles import make_graph, write_bundle
from tests.unit.sounds import RATE_HZ, make_noise, make_silence, make_voice
from tests.unit.test_pipeline import GATE, make_siren
from tests.unit.test_voice_praat import measure, semitones
from tests.unit.voices import glide, speak
from worker.audio.onsets import find_onsets
from worker.audio.vad import SpeechDetector, SpeechSegment
from worker.audio.voice import SpeechFrames, VoiceMeter
from worker.audio.voice_frames import VoiceFrames, join_frames
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

FRAME_MS = 30
SPREADS = {"pitch_spread_semitones", "level_spread_db"}


def make_frames(n, *, pitch_hz=150.0, level_db=-20.0):
    return VoiceFrames(
        np.ones(n, dtype=np.bool_),
        np.full(n, pitch_hz, dtype=np.float32),
        np.full(n, level_db, dtype=np.float32),
        np.arange(n) % 8 == 0,
    )


def meter(*parts, duration_ms=60_000):
    made = VoiceMeter(FRAME_MS)
    for start_ms, frames in parts:
        made.add(start_ms, frames)
    return made.finish(duration_ms=duration_ms)


def score(signal, scorer):
    file = io.BytesIO()
    soundfile.write(file, signal, RATE_HZ, format="WAV")
    return score_recording(file, scorer)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory):
    return Scorer(load_bundle(write_bundle(tmp_path_factory.mktemp("b"), make_graph(constant=[0.1, 0.2, 0.3, 0.4]))))


@pytest.mark.parametrize("gain", [0.03, 1.0])
@pytest.mark.parametrize("pitch_hz", [90.0, 130.0, 210.0, 330.0])
def test_pitch_is_that_of_the_voice_however_loud(pitch_hz, gain):
    found = measure(gain * speak(np.full(8 * RATE_HZ, pitch_hz), jitter=0.002))

    assert semitones(found["pitch_median_hz"] / pitch_hz) == pytest.approx(0, abs=0.1)
    assert found["pitch_spread_semitones"] < 0.2


def test_a_constant_voice_has_no_spread():
    found = meter((0, make_frames(200)))

    assert found["pitch_median_hz"] == pytest.approx(150.0)
    assert (found["pitch_spread_semitones"], found["level_spread_db"]) == pytest.approx((0.0, 0.0), abs=1e-4)


def test_pauses_lie_between_speech_and_not_around_it():
    n = 100  # 3 s
    found = meter((5_000, make_frames(n)), (10_000, make_frames(n)), duration_ms=30_000)

    assert found["pause_share"] == pytest.approx(2_000 / 8_000)
    assert found["speaking_share"] == pytest.approx(6_000 / 30_000)


def test_no_pause_lies_across_something_that_was_left_out():
    made = VoiceMeter(FRAME_MS)
    made.add(0, make_frames(100))
    made.skip()
    made.add(20_000, make_frames(100))

    assert made.finish(duration_ms=60_000)["pause_share"] == 0


def test_frames_that_come_in_pieces_are_those_that_come_at_once():
    frames = make_frames(400)
    pieces = [(at * FRAME_MS, frames[at : at + 37]) for at in range(0, 400, 37)]

    assert meter(*pieces) == pytest.approx(meter((0, frames)))


def test_windows_take_each_frame_once():
    held = SpeechFrames(FRAME_MS)
    held.put(SpeechSegment(90, 990, np.zeros(900 * 16, dtype=np.float32), make_frames(30)))
    held.put(SpeechSegment(3_000, 3_900, np.zeros(900 * 16, dtype=np.float32), make_frames(30)))

    taken = [part for until_ms in (500, 500, 3_100, 3_900) for part in held.take(until_ms)]

    assert [(start_ms, len(frames)) for start_ms, frames in taken] == [(90, 14), (510, 16), (3_000, 4), (3_120, 26)]


@pytest.mark.parametrize("block", [977, 16_000, 400_000])
def test_the_size_of_blocks_changes_no_frame(block):
    signal = np.concatenate([make_voice(24.0), make_silence(1.0), make_voice(3.0, seed=1)])
    whole, detector = SpeechDetector(), SpeechDetector()
    expected = whole.feed(signal) + whole.flush()

    found = [part for at in range(0, len(signal), block) for part in detector.feed(signal[at : at + block])]
    found += detector.flush()

    ours, theirs = (join_frames([segment.frames for segment in part]) for part in (found, expected))
    assert len(ours) == sum(-(-(segment.end_ms - segment.start_ms) // FRAME_MS) for segment in found)
    assert all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in vars(ours))


def test_levels_and_onsets_of_nothing_are_nothing():
    assert find_onsets(np.zeros(0), np.zeros(0)).tolist() == []
    assert meter() == {}
    assert meter((0, join_frames(()))) == {}


def test_noise_has_no_onsets_and_no_pitch():
    frames = measure(make_noise(12.0, peak=0.5))

    assert "pitch_median_hz" not in frames


def test_a_note_has_measures_and_silence_has_none(scorer):
    assert set(score(make_voice(9.0), scorer).voice) >= SPREADS
    assert score(make_silence(5.0), scorer).voice == {}


def test_a_note_of_less_than_a_stretch_has_no_spread(scorer):
    voice = score(make_voice(2.5), scorer).voice

    assert "pitch_median_hz" in voice
    assert not SPREADS & set(voice)


def test_what_the_models_gate_rejects_is_not_measured(tmp_path):
    gated = Scorer(load_bundle(write_bundle(tmp_path, make_graph(gate=True), speech_gate=GATE)))

    both = score(np.concatenate([make_voice(8.0), make_siren(16.0)]), gated)
    alone = score(make_voice(8.0), gated)

    assert both.rejected_ms > 13_000
    assert both.voice | {"speaking_share": 0} == pytest.approx(alone.voice | {"speaking_share": 0}, rel=0.02, abs=0.01)


@pytest.mark.parametrize("name", ["pitch_median_hz", "pitch_spread_semitones", "level_spread_db", "onsets_per_s"])
def test_a_long_note_says_the_same_as_short_ones(name):
    rng = np.random.default_rng(8)
    phrases = [
        speak(glide(4.0, low, low * 2 ** (width / 12)), seed=seed)
        for seed, (low, width) in enumerate(zip(rng.uniform(100, 160, 24), rng.uniform(2, 9, 24), strict=True))
    ]
    long = measure(np.concatenate(phrases))[name]
    short = [measure(np.concatenate(phrases[at : at + 2]))[name] for at in range(0, 24, 2)]

    middle = np.exp(np.mean(np.log(short)))
    assert long == pytest.approx(middle, rel=0.06)
