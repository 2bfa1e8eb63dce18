"""Resampling piece by piece equals resampling at once, and resampling by librosa."""

from __future__ import annotations

import subprocess
import sys

import librosa
import numpy as np
import pytest

from worker.audio.resample import Resampler, resample


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000, 12_347])
def test_pieces_joined_equal_the_whole(rate_hz: int) -> None:
    rng = np.random.default_rng(7)
    signal = (0.3 * rng.standard_normal(int(rate_hz * 19.37))).astype(np.float32)
    resampler = Resampler(rate_hz)

    pieces = [piece for part in np.array_split(signal, 41) for piece in resampler.feed(part)] + resampler.flush()

    joined, whole = np.concatenate(pieces), resample(signal, rate_hz)
    assert len(joined) == len(whole) == -(-len(signal) * 16_000 // rate_hz)
    assert np.abs(joined - whole).max() < 1e-4
    assert all(len(piece) <= 10 * 16_000 for piece in pieces)


def test_the_size_of_the_blocks_changes_nothing() -> None:
    rng = np.random.default_rng(8)
    signal = (0.3 * rng.standard_normal(44_100 * 21)).astype(np.float32)
    joined = []

    for n_blocks in (1, 10, 997):
        resampler = Resampler(44_100)
        pieces = [piece for part in np.array_split(signal, n_blocks) for piece in resampler.feed(part)]
        joined.append(np.concatenate(pieces + resampler.flush()))

    assert np.array_equal(joined[0], joined[1])
    assert np.array_equal(joined[0], joined[2])


def test_a_signal_at_16_khz_passes_untouched() -> None:
    signal = np.linspace(-1, 1, 1000, dtype=np.float32)
    resampler = Resampler(16_000)

    assert np.array_equal(np.concatenate(resampler.feed(signal) + resampler.flush()), signal)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 12_347])
@pytest.mark.parametrize("n_samples", [1, 2, 999, 30_001])
def test_every_bit_is_that_of_librosa(rate_hz: int, n_samples: int) -> None:
    signal = (0.3 * np.random.default_rng(9).standard_normal(n_samples)).astype(np.float32)

    ours, theirs = resample(signal, rate_hz), librosa.resample(signal, orig_sr=rate_hz, target_sr=16_000)

    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


def test_resampling_needs_no_numba_and_preloading_leaves_nothing_to_import() -> None:
    program = """
import sys
from worker.audio.decode import preload
from worker.audio.resample import resample
preload()
import numpy as np
import threading
before = set(sys.modules)
resample(np.zeros(44100, dtype=np.float32), 44100)
assert set(sys.modules) == before, set(sys.modules) - before
assert not {"numba", "librosa"} & before
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
