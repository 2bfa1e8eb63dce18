"""Voices built in code whose pitch, level and syllables are known, and what telephones make of them."""

from __future__ import annotations

import io

import numpy as np
import soxr

from tests.unit.recordings import encode_foreign, encode_native
from tests.unit.sounds import RATE_HZ
from worker.audio.decode import Limits, iter_blocks

FORMANTS_HZ = ((600.0, 100.0), (1400.0, 140.0), (2500.0, 200.0), (3500.0, 300.0))
SIZES = {"man": 1.0, "woman": 1.17, "child": 1.35}  # of a vocal tract, as its formants go up


def speak(pitch_hz, *, size=1.0, jitter=0.01, syllables_per_s=4.0, depth_db=20.0, snr_db=30.0, seed=0):
    """Speak with this pitch, float (n_samples,), in syllables whose level falls by `depth_db` in between."""
    rng = np.random.default_rng(seed)
    pitch = np.asarray(pitch_hz, dtype=np.float64)
    n_samples = len(pitch)
    steps = np.repeat(rng.standard_normal(n_samples // 80 + 1), 80)[:n_samples]
    phase = np.cumsum(pitch * (1 + jitter * steps)) / RATE_HZ
    pulses = np.zeros(n_samples)
    at = np.flatnonzero(np.diff(np.floor(phase)) > 0)
    late = (np.floor(phase[at + 1]) - phase[at]) / (phase[at + 1] - phase[at])  # between two samples
    pulses[at], pulses[at + 1] = 1 - late, late
    hertz = np.fft.rfftfreq(n_samples, 1 / RATE_HZ)
    shape = sum(1 / (1 + ((hertz - size * at) / width) ** 2) for at, width in FORMANTS_HZ) / (1 + hertz / 500)
    voice = np.fft.irfft(np.fft.rfft(pulses) * shape, n_samples)
    seconds = np.arange(n_samples) / RATE_HZ
    fall_db = depth_db * (0.5 + 0.5 * np.cos(2 * np.pi * syllables_per_s * seconds))
    voice *= 10 ** (-fall_db / 20)
    noise = rng.standard_normal(n_samples)
    noise *= np.sqrt(np.mean(voice**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    sound = voice + noise
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def glide(duration_s, low_hz, high_hz, *, vibrato=0.0):
    """Return a pitch that goes up and down between two, on the scale of semitones, every two seconds."""
    seconds = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    place = 0.5 - 0.5 * np.cos(2 * np.pi * seconds / 2)
    return low_hz * (high_hz / low_hz) ** place * (1 + vibrato * np.sin(2 * np.pi * 5.5 * seconds))


def over_the_telephone(signal, codec):
    """Return what comes out of a telephone: 300 to 3,400 Hz through a codec."""
    spectrum, hertz = np.fft.rfft(signal), np.fft.rfftfreq(len(signal), 1 / RATE_HZ)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    narrow = np.fft.irfft(spectrum, len(signal)).astype(np.float32)
    if codec == "G.711":
        recording = encode_native("WAV", "ULAW", soxr.resample(narrow, RATE_HZ, 8_000), 8_000)
    elif codec == "AMR":
        recording = encode_foreign("amr", "libopencore_amrnb", narrow, 8_000)
    else:
        recording = encode_foreign("ogg", "libopus", narrow, 48_000, bit_rate=12_000)
    return np.concatenate(list(iter_blocks(io.BytesIO(recording), limits=Limits())))
