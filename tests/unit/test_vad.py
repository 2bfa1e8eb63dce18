"""Speech is found on the original clock, noise is turned away, and nothing depends on how the signal was fed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sounds import RATE_HZ, Signal, make_noise, make_silence, make_voice
from worker.audio.vad import SpeechDetector, SpeechSegment, VadConfig

SAMPLES_PER_MS = 16


def detect(signal: Signal, config: VadConfig | None = None, n_blocks: int = 1) -> tuple[list[SpeechSegment], int]:
    detector = SpeechDetector(config)
    segments = [segment for block in np.array_split(signal, n_blocks) for segment in detector.feed(block)]
    return segments + detector.flush(), detector.rejected_ms


def add_up(segments: list[SpeechSegment]) -> int:
    return sum(segment.end_ms - segment.start_ms for segment in segments)


def make_note() -> Signal:
    parts = [make_silence(1.0), make_voice(2.0, seed=1), make_silence(1.5), make_voice(3.0, pitch_hz=220, seed=2)]
    return np.concatenate([*parts, make_silence(0.7)])


def test_silence_has_no_segments() -> None:
    assert detect(make_silence(5.0)) == ([], 0)


def test_no_signal_has_no_segments() -> None:
    assert detect(make_silence(0.0)) == ([], 0)


def test_speech_is_found_where_it_is() -> None:
    segments, rejected_ms = detect(make_note())

    assert rejected_ms == 0
    assert [(segment.start_ms, segment.end_ms) for segment in segments] == [
        (pytest.approx(1000, abs=120), pytest.approx(3300, abs=150)),
        (pytest.approx(4500, abs=120), pytest.approx(7800, abs=150)),
    ]


def test_a_segment_holds_the_samples_of_its_span() -> None:
    note = make_note()

    for segment in detect(note)[0]:
        span = note[segment.start_ms * SAMPLES_PER_MS : segment.end_ms * SAMPLES_PER_MS]
        assert np.array_equal(segment.signal, span)


@pytest.mark.parametrize("pitch_hz", [75, 110, 160, 220, 300, 380])
def test_low_and_high_voices_are_kept(pitch_hz: float) -> None:
    note = np.concatenate([make_silence(1.0), make_voice(3.0, pitch_hz=pitch_hz), make_silence(1.0)])

    segments, _rejected_ms = detect(note)

    assert add_up(segments) > 2800


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01])
def test_quiet_speech_is_found_as_loud_speech_is(level: float) -> None:
    segments, _rejected_ms = detect(make_note() * np.float32(level))

    assert add_up(segments) == pytest.approx(add_up(detect(make_note())[0]), abs=400)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, -1.0])
def test_speech_in_noise_of_10_db_is_kept(exponent: float) -> None:
    voice = make_voice(4.0)
    noise = make_noise(4.0, exponent=exponent)
    gain = np.sqrt(np.mean(np.square(voice)) / np.mean(np.square(noise)) / 10)

    segments, _rejected_ms = detect(voice + np.float32(gain) * noise)

    assert add_up(segments) > 3500


def test_telephone_speech_is_kept() -> None:
    voice = make_voice(4.0)
    hertz = np.fft.rfftfreq(len(voice), 1 / RATE_HZ)
    narrow = np.fft.irfft(np.fft.rfft(voice) * ((hertz > 300) & (hertz < 3400)), len(voice)).astype(np.float32)

    assert add_up(detect(narrow)[0]) > 3500


@pytest.mark.parametrize("level", [1.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, -1.0])
def test_noise_of_any_colour_and_level_has_no_segments(exponent: float, level: float) -> None:
    noise = make_noise(20.0, exponent=exponent, seed=3) * np.float32(level)

    assert detect(noise)[0] == []


def test_noise_that_webrtc_passes_is_counted_as_rejected() -> None:
    noise = make_noise(10.0)

    assert detect(noise) == ([], 10_000)
    assert add_up(detect(noise, VadConfig(min_voiced_ms=0))[0]) == 10_000


def test_wind_and_fan_have_no_segments() -> None:
    rng = np.random.default_rng(11)
    seconds = np.arange(20 * RATE_HZ) / RATE_HZ
    gusts = np.abs(np.interp(seconds, np.arange(0, 20, 0.3), rng.standard_normal(67)))
    wind = make_noise(20.0, exponent=2.5, seed=4) * (gusts / gusts.max())
    fan = make_noise(20.0, exponent=1.5, seed=5) * (0.7 + 0.3 * np.sin(2 * np.pi * 7 * seconds))

    assert detect(wind.astype(np.float32))[0] == []
    assert detect(fan.astype(np.float32))[0] == []


def test_clicks_have_no_segments() -> None:
    rng = np.random.default_rng(12)
    signal = make_silence(20.0).copy()
    for start in rng.integers(0, len(signal) - 40, 60):
        signal[start : start + 32] += 0.8 * np.exp(-np.arange(32) / 5)

    assert detect(signal)[0] == []


def test_noise_far_from_speech_is_rejected_within_one_run() -> None:
    noise = make_noise(20.0, seed=6, peak=0.3)
    noise[8 * RATE_HZ : 10 * RATE_HZ] += make_voice(2.0, peak=0.6)

    segments, rejected_ms = detect(noise)

    assert 2000 <= add_up(segments) <= 4600
    assert segments[0].start_ms >= 6500
    assert segments[-1].end_ms <= 11_500
    assert add_up(segments) + rejected_ms == 20_000


def test_a_last_partial_frame_is_not_lost() -> None:
    voice = make_voice(2.0)[: 2 * RATE_HZ - 100]

    segments, _rejected_ms = detect(voice)

    assert segments[-1].end_ms == len(voice) // SAMPLES_PER_MS


def test_long_speech_comes_in_pieces_that_join_without_a_gap() -> None:
    voice = make_voice(50.0)

    segments, _rejected_ms = detect(voice, VadConfig(max_segment_ms=5000), n_blocks=100)

    assert all(segment.end_ms - segment.start_ms <= 5000 for segment in segments)
    whole, _rejected_ms = detect(voice, VadConfig(max_segment_ms=100_000))
    assert add_up(segments) == add_up(whole)
    assert np.array_equal(np.concatenate([s.signal for s in segments]), np.concatenate([s.signal for s in whole]))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=8))
def test_the_size_of_the_blocks_changes_nothing(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    note = make_note() + (0.02 * rng.standard_normal(len(make_note()))).astype(np.float32)
    whole, rejected_ms = detect(note)
    detector = SpeechDetector()
    segments: list[SpeechSegment] = []
    at = 0
    while at < len(note):
        size = sizes[at % len(sizes)]
        segments += detector.feed(note[at : at + size])
        at += size
    segments += detector.flush()

    assert detector.rejected_ms == rejected_ms
    assert [(s.start_ms, s.end_ms) for s in segments] == [(s.start_ms, s.end_ms) for s in whole]
    assert all(np.array_equal(one.signal, other.signal) for one, other in zip(segments, whole, strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": 4}, "mode is 4, allowed are 0 to 3"),
        ({"frame_ms": 25}, "frame_ms is 25, allowed are 10, 20 and 30"),
        ({"hangover_ms": -1}, "hangover_ms is -1"),
        ({"max_segment_ms": 999}, "max_segment_ms is 999"),
        ({"min_periodicity": 1.5}, "min_periodicity is 1.5"),
    ],
)
def test_a_setting_out_of_range_is_named(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VadConfig(**changes)  # type: ignore[arg-type]
