"""A recording of floating-point numbers beyond full scale is scaled as a whole, not cut off at its peaks."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.unit.recordings import encode_foreign, encode_native
from tests.unit.sounds import Signal, make_sweep, make_voice
from worker.audio.decode import iter_blocks

VOICE = make_voice(12.0, peak=1.0)
AT_MINUS_1_DB = np.float32(10 ** (-1 / 20))
FLOATS = {
    "WAV": lambda signal: encode_native("WAV", "FLOAT", signal),
    "WAV of 64 bits": lambda signal: encode_native("WAV", "DOUBLE", signal),
    "WAV, extensible": lambda signal: encode_native("WAVEX", "FLOAT", signal),
    "RF64": lambda signal: encode_native("RF64", "FLOAT", signal),
    "Wave64": lambda signal: encode_native("W64", "FLOAT", signal),
    "AIFF-C": lambda signal: encode_native("AIFF", "FLOAT", signal),
    "CAF": lambda signal: encode_native("CAF", "FLOAT", signal),
    "Matroska": lambda signal: encode_foreign("matroska", "pcm_f32le", signal, 16_000),
    "QuickTime": lambda signal: encode_foreign("mov", "pcm_f32le", signal, 16_000),
}


def decode(recording: bytes) -> Signal:
    return np.concatenate(list(iter_blocks(io.BytesIO(recording))))


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("peak", [1.5, 40.0, 32_768.0])
def test_what_is_beyond_full_scale_is_what_it_were_at_minus_1_db(name: str, peak: float) -> None:
    decoded = decode(FLOATS[name](VOICE * np.float32(peak)))

    np.testing.assert_allclose(decoded, decode(FLOATS[name](VOICE * AT_MINUS_1_DB)), atol=1e-6)
    assert np.abs(decoded).max() == pytest.approx(AT_MINUS_1_DB, abs=1e-5)


@pytest.mark.parametrize("peak", [0.1, 1.0])
def test_what_is_within_full_scale_is_left_alone(peak: float) -> None:
    np.testing.assert_array_equal(decode(FLOATS["WAV"](VOICE * np.float32(peak))), VOICE * np.float32(peak))


def test_one_gain_holds_for_the_whole_recording_and_all_channels() -> None:
    loud = make_sweep(12.0, peak=4.0)
    stereo = np.stack((VOICE * np.float32(0.5), VOICE * np.float32(0.5)), axis=1)
    stereo[100_000:101_000] = loud[100_000:101_000, np.newaxis]

    decoded = decode(encode_native("WAV", "FLOAT", stereo))

    gain = AT_MINUS_1_DB / np.abs(stereo).max()
    np.testing.assert_allclose(decoded[:90_000], VOICE[:90_000] * 0.5 * gain, atol=1e-6)
