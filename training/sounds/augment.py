"""Seeded distortions of a recording, as phones, rooms and codecs make them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

from training.sounds.paper_augment import Augmentation, apply_augmentation

Signal = NDArray[np.float32]
SAMPLING_RATE_HZ = 16_000
EQ_BANDS = 5
EQ_DB = 8.0
TELEPHONE_HZ = (300.0, 3400.0)
MU = 255.0  # G.711 mu-law.
NOISE_COLOURS = {"white": 0.0, "pink": 1.0, "brown": 2.0, "blue": -1.0}


@dataclass(frozen=True)
class Chain:
    """How often each distortion is applied, in the order sound meets them: voice, room, microphone, codec.

    Attributes:
        paper: probability of each of the paper's gain, Gaussian noise, pitch and polarity.
        noise: probability of coloured noise at an SNR drawn from `snr_db`.
        snr_db: lowest and highest signal-to-noise ratio, dB.
        equaliser: probability of a random +-8 dB equaliser.
        telephone: probability of 300-3400 Hz at 8 kHz with mu-law.
        opus: probability of an Opus round trip at a bit rate drawn from `opus_bps`.
    """

    paper: float = 0.0
    noise: float = 0.0
    snr_db: tuple[float, float] = (5.0, 35.0)
    equaliser: float = 0.0
    telephone: float = 0.0
    opus: float = 0.0
    opus_bps: tuple[int, ...] = (12_000, 16_000, 24_000, 32_000)


def make_coloured_noise(n_samples: int, exponent: float, rng: np.random.Generator) -> Signal:
    """Return Gaussian noise whose power falls as 1 / f ** exponent, scaled to unit RMS."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    frequency = np.fft.rfftfreq(n_samples)
    frequency[0] = frequency[1] if n_samples > 1 else 1.0
    shaped = np.fft.irfft(spectrum * frequency ** (-exponent / 2), n_samples)
    return np.asarray(shaped / (np.sqrt(np.mean(shaped**2)) + 1e-12), dtype=np.float32)


def measure_loudness(signal: Signal) -> float:
    """Return the RMS of the louder half of a signal: what a listener takes for the level of its voice."""
    power = np.convolve(signal.astype(np.float64) ** 2, np.ones(400) / 400, mode="same")
    return float(np.sqrt(np.mean(power[power >= np.median(power)]) + 1e-12))


def add_noise(signal: Signal, snr_db: float, rng: np.random.Generator) -> Signal:
    """Add noise of a random colour at a ratio measured over the louder half of the signal."""
    colour = float(rng.choice(list(NOISE_COLOURS.values())))
    noise = make_coloured_noise(signal.size, colour, rng)
    return (signal + noise * measure_loudness(signal) * 10 ** (-snr_db / 20)).astype(np.float32)


def equalise(signal: Signal, rng: np.random.Generator) -> Signal:
    """Apply a smooth random gain curve of up to +-8 dB, as microphones and rooms do."""
    n_fft = max(16, signal.size)
    points_hz = np.geomspace(80.0, SAMPLING_RATE_HZ / 2, EQ_BANDS)
    gains_db = rng.uniform(-EQ_DB, EQ_DB, EQ_BANDS)
    frequency = np.maximum(np.fft.rfftfreq(n_fft, 1 / SAMPLING_RATE_HZ), 1.0)
    curve_db = np.interp(np.log(frequency), np.log(points_hz), gains_db)
    shaped = np.fft.irfft(np.fft.rfft(signal, n_fft) * 10 ** (curve_db / 20), n_fft)
    return shaped[: signal.size].astype(np.float32)


def pass_telephone(signal: Signal) -> Signal:
    """Band-limit to 300-3400 Hz, sample at 8 kHz, quantise with 8-bit mu-law, and come back to 16 kHz."""
    band = dsp.butter(4, TELEPHONE_HZ, "bandpass", fs=SAMPLING_RATE_HZ, output="sos")
    narrow = np.clip(dsp.resample_poly(dsp.sosfilt(band, signal), 1, 2), -1.0, 1.0)
    code = np.round(np.sign(narrow) * np.log1p(MU * np.abs(narrow)) / np.log1p(MU) * 127) / 127
    decoded = np.sign(code) * np.expm1(np.abs(code) * np.log1p(MU)) / MU
    return np.asarray(dsp.resample_poly(decoded, 2, 1)[: signal.size], dtype=np.float32)


def pass_opus(signal: Signal, bit_rate_bps: int) -> Signal:
    """Encode to Ogg Opus in memory and decode again; the length is kept."""
    held = io.BytesIO()
    with av.open(held, "w", format="ogg") as sink:
        stream = sink.add_stream(
            "libopus", rate=SAMPLING_RATE_HZ, options={"application": "voip", "compression_level": "4"}
        )
        stream.bit_rate = bit_rate_bps
        stream.layout = "mono"
        whole = (np.clip(signal, -1.0, 1.0) * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(whole), format="s16", layout="mono")
        frame.sample_rate = SAMPLING_RATE_HZ
        sink.mux([*stream.encode(frame), *stream.encode(None)])
    held.seek(0)
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLING_RATE_HZ)
    with av.open(held, "r") as source:
        frames = [f for decoded in source.decode(audio=0) for f in resampler.resample(decoded)]
    frames.extend(resampler.resample(None))
    decoded_signal = np.concatenate([f.to_ndarray().ravel() for f in frames])
    kept = decoded_signal[: signal.size]
    return np.pad(kept, (0, signal.size - kept.size)).astype(np.float32)


def distort(signal: Signal, chain: Chain, rng: np.random.Generator) -> Signal:
    """Send a signal through a chain.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1].
        chain: what may happen, and how often.
        rng: the only source of chance.

    Returns:
        float32 (n_samples,), in [-1, 1].
    """
    if chain.paper > 0.0:
        signal = apply_augmentation(signal, Augmentation(probability=chain.paper), rng)
    if rng.random() < chain.noise:
        signal = add_noise(signal, float(rng.uniform(*chain.snr_db)), rng)
    if rng.random() < chain.equaliser:
        signal = equalise(signal, rng)
    if (largest := float(np.abs(signal).max(initial=0.0))) > 1.0:
        signal = signal / np.float32(largest)
    if rng.random() < chain.telephone:
        signal = pass_telephone(signal)
    if rng.random() < chain.opus:
        signal = pass_opus(signal, int(rng.choice(chain.opus_bps)))
    return np.clip(signal, -1.0, 1.0).astype(np.float32)
