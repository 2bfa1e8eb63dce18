"""The paper's augmentation of a training window, each part switchable."""

from __future__ import annotations

from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
SAMPLING_RATE_HZ = 16_000


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a window, in this order; None leaves a part out. The defaults are the paper's.

    Attributes:
        pitch_semitones: largest shift up or down.
        gain_db: lowest and highest gain.
        noise_amplitude: lowest and highest deviation of added Gaussian noise.
        is_polarity_flipped: whether the sign may change.
        probability: of each part, 0 to 1; the paper does not print it.
    """

    pitch_semitones: float | None = 2.0
    gain_db: tuple[float, float] | None = (-18.0, 6.0)
    noise_amplitude: tuple[float, float] | None = (0.001, 0.015)
    is_polarity_flipped: bool = True
    probability: float = 0.5


def apply_augmentation(signal: Signal, augmentation: Augmentation, rng: np.random.Generator) -> Signal:
    """Return a changed copy of a window, as long as before.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1].
        augmentation: what may happen.
        rng: the only source of chance.

    Returns:
        float32 (n_samples,), clipped to [-1, 1].
    """
    chance = augmentation.probability
    if augmentation.pitch_semitones is not None and rng.random() < chance:
        steps = float(rng.uniform(-augmentation.pitch_semitones, augmentation.pitch_semitones))
        signal = librosa.effects.pitch_shift(signal, sr=SAMPLING_RATE_HZ, n_steps=steps, n_fft=1024)
    if augmentation.gain_db is not None and rng.random() < chance:
        signal = signal * np.float32(10 ** (rng.uniform(*augmentation.gain_db) / 20))
    if augmentation.noise_amplitude is not None and rng.random() < chance:
        amplitude = rng.uniform(*augmentation.noise_amplitude)
        signal = signal + (amplitude * rng.standard_normal(signal.size)).astype(np.float32)
    if augmentation.is_polarity_flipped and rng.random() < chance:
        signal = -signal
    return np.clip(signal, -1.0, 1.0).astype(np.float32)
