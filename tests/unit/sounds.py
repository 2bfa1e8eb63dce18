"""Sounds built in code: a voice-like glottal pulse train through formants, and noises."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
Signal = NDArray[np.float32]


def make_voice(duration_s: float, *, pitch_hz: float = 140.0, seed: int = 0, peak: float = 0.5) -> Signal:
    """A voice that says "ah-ee-ah-ee": a pulse train with jitter and vibrato through two formants, in syllables."""
    rng = np.random.default_rng(seed)
    n_samples = int(duration_s * RATE_HZ)
    seconds = np.arange(n_samples) / RATE_HZ
    pitch = pitch_hz * (1.0 + 0.08 * np.sin(2 * np.pi * 0.7 * seconds) + 0.03 * np.sin(2 * np.pi * 5 * seconds))
    phase = np.cumsum(pitch) / RATE_HZ
    pulses = np.zeros(n_samples)
    pulses[np.flatnonzero(np.diff(np.floor(phase)) > 0)] = 1.0
    pulses += 0.005 * rng.standard_normal(n_samples)
    spectrum = np.fft.rfft(pulses)
    hertz = np.fft.rfftfreq(n_samples, 1 / RATE_HZ)
    shape = np.zeros_like(hertz)
    for formant_hz, width_hz in ((650.0, 120.0), (1500.0, 180.0), (2500.0, 250.0)):
        shape += 1.0 / (1.0 + ((hertz - formant_hz) / width_hz) ** 2)
    voiced = np.fft.irfft(spectrum * shape, n_samples)
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3.0 * seconds - np.pi / 2)
    voice = voiced * syllables
    return (voice * (peak / np.abs(voice).max())).astype(np.float32)


def make_noise(duration_s: float, *, exponent: float = 0.0, seed: int = 0, peak: float = 0.9) -> Signal:
    """Noise whose power falls with frequency to `exponent`: 0 white, 1 pink, 2 brown, -1 blue."""
    rng = np.random.default_rng(seed)
    n_samples = int(duration_s * RATE_HZ)
    hertz = np.maximum(np.fft.rfftfreq(n_samples, 1 / RATE_HZ), 20.0)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n_samples)) * hertz ** (-exponent / 2), n_samples)
    return (noise * (peak / np.abs(noise).max())).astype(np.float32)


def make_sweep(duration_s: float, *, rate_hz: int = RATE_HZ, peak: float = 0.4) -> Signal:
    """A sweep from 300 Hz upwards by 200 Hz a second, whose phase tells every delay."""
    seconds = np.arange(int(duration_s * rate_hz)) / rate_hz
    return (peak * np.sin(2 * np.pi * (300 + 100 * seconds) * seconds)).astype(np.float32)


def make_silence(duration_s: float) -> Signal:
    """Digital silence."""
    return np.zeros(int(duration_s * RATE_HZ), dtype=np.float32)
