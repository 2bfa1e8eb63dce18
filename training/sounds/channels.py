"""Copies of a recording as collections of ordinary speech sound: their length, band, codec, level and overdriven peaks.

Where only calm speech came by telephone, a model learns that telephone means neutral. So recordings of every emotion are
copied through the same channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.sounds.augment import SAMPLING_RATE_HZ, Signal, measure_loudness, pass_opus
from training.sounds.codecs import Codec, pass_codec

KEPT_BPS = 32_000  # All sets of ordinary speech were last encoded in Opus at this rate.
STEP_SAMPLES = 160
LOUD_SHARE = 0.25  # Of the power of the loudest piece: what has less is mostly a pause.


@dataclass(frozen=True)
class Channel:
    """How the recordings of one set sound; ranges hold nine tenths of them.

    Attributes:
        duration_s: shortest and longest, over 0.
        loudness_db: lowest and highest RMS of the louder half, dB below full scale.
        rate_hz: sampling rate that they once had.
        codec: that they were once kept in.
        overdriven: share of the recordings whose peaks are cut off, 0 to 1.
        cut_off: lowest and highest share of an overdriven recording's samples that are cut off, under 1.
    """

    duration_s: tuple[float, float]
    loudness_db: tuple[float, float]
    rate_hz: int = SAMPLING_RATE_HZ
    codec: Codec = Codec.PCM
    overdriven: float = 0.0
    cut_off: tuple[float, float] = (0.001, 0.005)


# By title of the set. Durations are of all recordings, loudness and spectrum of 24 of each. Coming down from 44.1 kHz took what is
# above 7.7 kHz from three sets. The MP3s of audio_cmn reach to 8 kHz, which an MP3 of 16 kHz does not: plain PCM is nearer.
CHANNELS: Mapping[str, Channel] = {
    "asterisk_fr_armelle": Channel((0.7, 7.6), (-25.0, -18.0), rate_hz=8_000, codec=Codec.GSM),
    "asterisk_it_menardi": Channel((0.6, 7.2), (-17.5, -14.5), rate_hz=8_000),
    "audio_cmn": Channel((1.0, 1.6), (-18.0, -12.0)),
    "custom_speech_commands": Channel((0.75, 1.0), (-22.0, -11.0), rate_hz=44_100),
    "fsdd": Channel((0.25, 0.65), (-44.5, -16.5), rate_hz=8_000),
    "gcompris_voices": Channel((0.75, 6.6), (-15.0, -9.5), codec=Codec.VORBIS, overdriven=0.23),
    "misc_read_samples": Channel((1.6, 7.0), (-32.0, -14.5), rate_hz=44_100, codec=Codec.MP3),
    "mycroft_precise": Channel((1.0, 3.0), (-42.5, -15.5), rate_hz=44_100, overdriven=0.13, cut_off=(0.001, 0.08)),
    "picovoice_intent": Channel((2.1, 6.2), (-28.0, -17.0)),
    "picovoice_wakeword": Channel((1.1, 3.0), (-28.5, -18.0), overdriven=0.02),
    "vctk_sample": Channel((5.6, 11.0), (-20.0, -13.5)),
}


def pass_channel(signal: Signal, channel: Channel, rng: np.random.Generator) -> Signal:
    """Return a piece of a signal as if it were of a channel's set.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1]; one shorter than the channel's recordings stays whole, so
            join some of one speaker and one emotion first.
        channel: what it goes through.
        rng: the only source of chance.

    Returns:
        float32 (n_piece,), 16 kHz, in [-1, 1], at most as long as the signal.
    """
    shortest, longest = np.log(channel.duration_s)
    piece = take_piece(signal, round(float(np.exp(rng.uniform(shortest, longest))) * SAMPLING_RATE_HZ), rng)
    level = float(rng.uniform(*channel.loudness_db))
    if rng.random() < channel.overdriven:
        piece = overdrive(piece, float(rng.uniform(*channel.cut_off)))
    else:
        piece = set_loudness(piece, level)
    if not piece.size:
        return piece
    kept = pass_opus(pass_codec(piece, channel.codec, rate_hz=channel.rate_hz), KEPT_BPS)
    return np.clip(kept, -1.0, 1.0)


def take_piece(signal: Signal, n_samples: int, rng: np.random.Generator) -> Signal:
    """Return a stretch of a signal, drawn among those that are not mostly a pause; a shorter signal stays whole.

    Args:
        signal: float32, 16 kHz.
        n_samples: of the piece, 1 or more.
        rng: the only source of chance.

    Raises:
        ValueError: the piece has no sample.
    """
    if n_samples < 1:
        message = f"a piece of {n_samples} samples; allowed are 1 and more"
        raise ValueError(message)
    if signal.size <= n_samples:
        return signal
    energy = np.concatenate([[0.0], np.cumsum(signal.astype(np.float64) ** 2)])
    starts = np.arange(0, signal.size - n_samples + 1, STEP_SAMPLES)
    power = energy[starts + n_samples] - energy[starts]
    first = int(rng.choice(starts[power >= LOUD_SHARE * power.max()]))
    return signal[first : first + n_samples]


def set_loudness(signal: Signal, loudness_db: float) -> Signal:
    """Scale a signal to an RMS of its louder half, dB below full scale, or as near to it as its peak allows.

    Returns:
        float32 (n_samples,), in [-1, 1]; digital silence stays so.
    """
    peak = float(np.abs(signal).max(initial=0.0))
    if peak == 0.0:
        return signal
    gain = min(10 ** (loudness_db / 20) / measure_loudness(signal), 1.0 / peak)
    return (signal * np.float32(gain)).astype(np.float32)


def overdrive(signal: Signal, share: float) -> Signal:
    """Turn a signal up until a share of its samples is cut off at full scale.

    Args:
        signal: float32 (n_samples,).
        share: 0 to under 1; 0 brings the peak to full scale and cuts nothing off.

    Raises:
        ValueError: the share is out of range.
    """
    if not 0.0 <= share < 1.0:
        message = f"a share of {share}; allowed is 0 to under 1"
        raise ValueError(message)
    ceiling = float(np.quantile(np.abs(signal), 1.0 - share)) if signal.size else 0.0
    return np.clip(signal / np.float32(ceiling), -1.0, 1.0).astype(np.float32) if ceiling > 0.0 else signal
