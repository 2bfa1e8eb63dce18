"""The voicing gate looks at few frames and decides as if it had looked at all."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.sounds import Signal, make_noise, make_silence, make_voice
from worker.audio import gate, voicing
from worker.audio.gate import find_frames_near_voice
from worker.audio.voicing import FrameMeasures, find_periods, find_voiced_frames, measure_frames

FRAME = 480


def measure(signal: Signal) -> FrameMeasures:
    return measure_frames(signal, np.arange(len(signal) // FRAME, dtype=np.int64) * FRAME + FRAME // 2)


def judge_by_all(found: FrameMeasures, *, min_periodicity: float, min_frames: int, reach: int) -> list[bool]:
    n_frames = len(found.clarity)
    peaks, lags = find_periods(found, np.arange(n_frames))
    voiced = find_voiced_frames(peaks, lags, min_periodicity=min_periodicity, min_frames=min_frames)
    return [bool(voiced[max(0, here - reach) : here + reach + 1].any()) for here in range(n_frames)]


def make_scene(seed: int) -> Signal:
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(6):
        seconds = float(rng.uniform(0.1, 1.5))
        noise = make_noise(seconds, seed=int(rng.integers(1000)), peak=float(rng.uniform(0.01, 0.3)))
        voice = make_voice(seconds, pitch_hz=float(rng.uniform(75, 350)), seed=int(rng.integers(1000)))
        parts.append((noise, noise + np.float32(rng.uniform(0.05, 1)) * voice, make_silence(seconds))[rng.integers(3)])
    return np.concatenate(parts)


@pytest.mark.parametrize("rule", [(0.18, 3, 34), (0.18, 3, 2), (0.3, 1, 0), (0.1, 6, 5), (0.0, 3, 34), (1.0, 3, 34)])
@pytest.mark.parametrize("seed", range(6))
def test_the_verdict_is_that_of_all_frames(seed: int, rule: tuple[float, int, int]) -> None:
    min_periodicity, min_frames, reach = rule
    found = measure(make_scene(seed))

    verdict = find_frames_near_voice(found, min_periodicity=min_periodicity, min_frames=min_frames, reach=reach)

    assert verdict.tolist() == judge_by_all(found, min_periodicity=min_periodicity, min_frames=min_frames, reach=reach)


def test_of_steady_speech_few_frames_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []

    def count(found: FrameMeasures, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        looked_at.append(len(at))
        return find_periods(found, at)

    monkeypatch.setattr(gate, "find_periods", count)
    found = measure(make_voice(10.0))

    assert find_frames_near_voice(found, min_periodicity=0.18, min_frames=3, reach=34).all()
    assert sum(looked_at) < len(found.clarity) / 4


@pytest.mark.parametrize("n_frames", [0, 1, 2])
def test_few_frames_are_judged_too(n_frames: int) -> None:
    found = measure(make_voice(1.0)[: n_frames * FRAME])

    assert len(found.clarity) == n_frames
    assert not find_frames_near_voice(found, min_periodicity=0.18, min_frames=3, reach=34).any()


def test_frames_measured_together_are_measured_as_by_themselves() -> None:
    signal = make_voice(6.0)
    centres = np.arange(len(signal) // FRAME, dtype=np.int64) * FRAME + FRAME // 2

    together = measure_frames(signal, centres)

    for at in (0, 63, 64, 65, len(centres) - 1):
        alone = measure_frames(signal, centres[at : at + 1])
        assert np.array_equal(alone.magnitude[0], together.magnitude[at])
        assert alone.pitch_hz[0] == together.pitch_hz[at]
        assert alone.level_db[0] == together.level_db[at]
        assert find_periods(alone, np.array([0]))[0] == find_periods(together, np.array([at]))[0]


def test_pitch_by_a_product_is_that_of_the_inverse_transform() -> None:
    signal = np.concatenate([make_voice(2.0, pitch_hz=hertz) for hertz in (80, 140, 220, 350)])
    found = measure(signal + make_noise(8.0, peak=0.02))
    weighed = found.magnitude * voicing._weigh_bins(voicing.PITCH_BAND_HZ)

    correlation = np.fft.irfft(weighed, voicing.PITCH_FFT_SAMPLES, axis=1)
    shortest, longest = voicing._find_lags(voicing.PITCH_RATE_HZ)
    inner = correlation[:, shortest : longest + 1]
    is_peak = (inner >= correlation[:, shortest - 1 : longest]) & (inner >= correlation[:, shortest + 1 : longest + 2])
    heights = np.where(is_peak, inner, 0)

    assert np.array_equal(found.pitch_lags, heights.argmax(axis=1) + shortest)
    assert found.clarity == pytest.approx(heights.max(axis=1) / correlation[:, 0], abs=1e-5)
