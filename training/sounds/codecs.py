"""Round trips through the codecs that collections of ordinary speech were kept in, beside those of `augment`."""

from __future__ import annotations

import io
from enum import StrEnum

import numpy as np
import soundfile
import soxr

from training.sounds.augment import SAMPLING_RATE_HZ, Signal


class Codec(StrEnum):
    """How a signal was kept. `PCM` changes nothing but the sampling rate."""

    PCM = "pcm"
    GSM = "gsm"
    MP3 = "mp3"
    VORBIS = "vorbis"


_FORMATS = {Codec.GSM: ("WAV", "GSM610"), Codec.MP3: ("MP3", "MPEG_LAYER_III"), Codec.VORBIS: ("OGG", "VORBIS")}
GSM_RATE_HZ = 8_000
MAX_RATE_HZ = 48_000


def pass_codec(signal: Signal, codec: Codec, *, rate_hz: int = SAMPLING_RATE_HZ) -> Signal:
    """Bring a signal to a sampling rate, through a codec, and back to 16 kHz; length and place in time are kept.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1].
        codec: that it is encoded with and decoded again.
        rate_hz: at which it is encoded; nothing is left above half of it. GSM has 8,000 and no other.

    Returns:
        float32 (n_samples,), 16 kHz, in [-1, 1].

    Raises:
        ValueError: GSM at another rate, or a rate that is not over 0 and at most 48,000.
    """
    if not 0 < rate_hz <= MAX_RATE_HZ or (codec is Codec.GSM and rate_hz != GSM_RATE_HZ):
        allowed = f"{GSM_RATE_HZ}" if codec is Codec.GSM else f"over 0 and at most {MAX_RATE_HZ}"
        message = f"{codec} at {rate_hz} Hz; allowed is {allowed}"
        raise ValueError(message)
    if not signal.size:
        return signal
    coded: Signal = soxr.resample(signal, SAMPLING_RATE_HZ, rate_hz) if rate_hz != SAMPLING_RATE_HZ else signal
    if codec is not Codec.PCM:
        coded = _encode_and_decode(np.clip(coded, -1.0, 1.0), codec, rate_hz)
    back: Signal = soxr.resample(coded, rate_hz, SAMPLING_RATE_HZ) if rate_hz != SAMPLING_RATE_HZ else coded
    kept = back[: signal.size]
    return np.clip(np.pad(kept, (0, signal.size - kept.size)), -1.0, 1.0).astype(np.float32)


def _encode_and_decode(signal: Signal, codec: Codec, rate_hz: int) -> Signal:
    container, subtype = _FORMATS[codec]
    held = io.BytesIO()
    soundfile.write(held, signal, rate_hz, format=container, subtype=subtype)
    held.seek(0)
    decoded, _ = soundfile.read(held, dtype="float32")
    return np.asarray(decoded, dtype=np.float32)
