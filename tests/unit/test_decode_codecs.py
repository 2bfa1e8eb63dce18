"""Every codec that phones, messengers and browsers write decodes to the sound that was encoded."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.hostile.mutate import repair_ogg_checksums
from tests.unit.recordings import (
    encode_foreign,
    encode_native,
    encode_opus_in_caf,
    make_amr_wb,
    make_amr_wb_speech,
    make_speex,
)
from tests.unit.sounds import Signal, make_sweep
from worker.audio.decode import SAMPLING_RATE_HZ, iter_blocks

DURATION_S = 3.0
SWEEP = make_sweep(DURATION_S)
MAX_DELAY_SAMPLES = 1100
"""An AAC encoder's 1024 samples at 16 kHz, where the container does not tell them from sound."""


def decode(recording: bytes) -> Signal:
    return np.concatenate(list(iter_blocks(io.BytesIO(recording))))


def correlate(decoded: Signal, original: Signal) -> tuple[float, int]:
    """The highest correlation over delays, and that delay in samples."""
    middle = original[2000:-2000]
    length = len(middle)
    size = 1 << (len(decoded) + length).bit_length()
    products = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(middle, size)), size)
    delays = np.arange(max(0, 2000 - MAX_DELAY_SAMPLES), min(len(decoded) - length, 2000 + MAX_DELAY_SAMPLES) + 1)
    energy = np.concatenate(([0.0], np.cumsum(np.square(decoded, dtype=np.float64))))
    norms = np.sqrt((energy[delays + length] - energy[delays]) * np.dot(middle, middle))
    scores = products[delays] / np.maximum(norms, 1e-9)
    best = int(scores.argmax())
    return float(scores[best]), int(delays[best]) - 2000


NATIVE = [
    ("WAV", "PCM_U8", 0.999),
    ("WAV", "PCM_16", 0.99999),
    ("WAV", "PCM_24", 0.99999),
    ("WAV", "PCM_32", 0.99999),
    ("WAV", "FLOAT", 0.99999),
    ("WAV", "DOUBLE", 0.99999),
    ("WAV", "ULAW", 0.999),
    ("WAV", "ALAW", 0.999),
    ("WAV", "IMA_ADPCM", 0.998),
    ("WAV", "MS_ADPCM", 0.998),
    ("RF64", "PCM_16", 0.99999),
    ("AIFF", "PCM_16", 0.99999),
    ("FLAC", "PCM_16", 0.99999),
    ("FLAC", "PCM_24", 0.99999),
    ("MP3", "MPEG_LAYER_III", 0.998),
    ("OGG", "VORBIS", 0.998),
    ("OGG", "OPUS", 0.998),
    ("CAF", "PCM_16", 0.99999),
    ("CAF", "ALAC_16", 0.99999),
]
FOREIGN = [
    ("ipod", "aac", 44_100, 0.98),
    ("mp4", "aac", 48_000, 0.98),
    ("ipod", "alac", 44_100, 0.9999),
    ("adts", "aac", 16_000, 0.998),
    ("amr", "libopencore_amrnb", 8_000, 0.95),
    ("3gp", "libopencore_amrnb", 8_000, 0.95),
    ("3gp", "aac", 16_000, 0.998),
    ("webm", "libopus", 48_000, 0.998),
    ("matroska", "libopus", 48_000, 0.998),
    ("ogg", "libopus", 16_000, 0.998),
    ("ogg", "libopus", 48_000, 0.998),
    ("mp4", "libopus", 48_000, 0.998),
    ("mp3", "libmp3lame", 44_100, 0.998),
    ("caf", "alac", 44_100, 0.9999),
]


@pytest.mark.parametrize(("kind", "subtype", "min_correlation"), NATIVE)
def test_what_libsndfile_writes_decodes_to_the_same_sound(kind: str, subtype: str, min_correlation: float) -> None:
    decoded = decode(encode_native(kind, subtype, SWEEP))

    correlation, delay = correlate(decoded, SWEEP)
    assert correlation > min_correlation
    assert delay == 0
    assert len(decoded) / SAMPLING_RATE_HZ == pytest.approx(DURATION_S, abs=0.07)  # ADPCM fills its last block


@pytest.mark.parametrize(("muxer", "codec", "rate_hz", "min_correlation"), FOREIGN)
def test_what_ffmpeg_writes_decodes_to_the_same_sound(
    muxer: str, codec: str, rate_hz: int, min_correlation: float
) -> None:
    decoded = decode(encode_foreign(muxer, codec, SWEEP, rate_hz))

    correlation, delay = correlate(decoded, SWEEP)
    assert correlation > min_correlation
    assert 0 <= delay + 32 <= MAX_DELAY_SAMPLES  # AMR's decoder is early by a millisecond or two in 3GP
    assert len(decoded) / SAMPLING_RATE_HZ == pytest.approx(DURATION_S, abs=0.08)


def test_opus_in_caf_decodes_to_the_same_sound() -> None:
    decoded = decode(encode_opus_in_caf(SWEEP))

    correlation, _delay = correlate(decoded, SWEEP)
    assert correlation > 0.998
    assert len(decoded) / SAMPLING_RATE_HZ == pytest.approx(DURATION_S, abs=0.03)


def test_amr_wb_without_speech_decodes_to_silence_of_the_same_length() -> None:
    decoded = decode(make_amr_wb(150))

    assert len(decoded) == 150 * 320
    assert np.abs(decoded).max() < 1e-3


def test_amr_wb_speech_frames_decode_to_sound_of_the_same_length() -> None:
    decoded = decode(make_amr_wb_speech(150))

    assert len(decoded) == 150 * 320
    assert np.sqrt(np.mean(np.square(decoded))) > 0.01


def test_speex_frames_decode_to_sound_of_the_same_length() -> None:
    decoded = decode(repair_ogg_checksums(make_speex(150)))

    assert len(decoded) / SAMPLING_RATE_HZ == pytest.approx(3.0, abs=0.05)
    assert np.sqrt(np.mean(np.square(decoded))) > 0.001


NB_PAUSES = {"not sent": b"\x7c", "described": b"\x44" + bytes(5)}
WB_PAUSES = {"not sent": b"\x7c", "described": b"\x4c" + bytes(5)}


@pytest.mark.parametrize("kind", NB_PAUSES)
def test_pauses_that_a_phone_does_not_send_are_silence_of_their_length(kind: str) -> None:
    speech = encode_foreign("amr", "libopencore_amrnb", SWEEP, 8_000)
    half = 6 + 32 * 75  # frames of 12.2 kbit/s have 32 bytes, and 75 of them last 1.5 s

    decoded = decode(speech[:half] + NB_PAUSES[kind] * 50 + speech[half:])

    assert len(decoded) == len(decode(speech)) + SAMPLING_RATE_HZ
    assert np.abs(decoded[26_000:38_000]).max() < 1e-2  # but for the ringing of filters at both ends
    assert np.abs(decoded[:20_000]).max() > 0.1


@pytest.mark.parametrize("kind", WB_PAUSES)
def test_pauses_of_a_wide_band_recording_are_silence_of_their_length(kind: str) -> None:
    decoded = decode(b"#!AMR-WB\n" + WB_PAUSES[kind] * 50 + make_amr_wb_speech(50)[9:])

    assert len(decoded) == 2 * SAMPLING_RATE_HZ
    assert np.abs(decoded[:15_000]).max() < 1e-3


def test_a_streamed_webm_that_names_no_size_decodes_whole() -> None:
    recording = encode_foreign("webm", "libopus", SWEEP, 48_000, live="1")

    assert len(decode(recording)) / SAMPLING_RATE_HZ == pytest.approx(DURATION_S, abs=0.03)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_streamed_wav_that_names_no_size_decodes_whole(size: int) -> None:
    recording = bytearray(encode_native("WAV", "PCM_16", SWEEP))
    recording[40:44] = size.to_bytes(4, "little")

    decoded = decode(bytes(recording))

    assert len(decoded) == len(SWEEP)
    assert correlate(decoded, SWEEP)[0] > 0.99999


@pytest.mark.parametrize("n_promised", [0, 100])
def test_a_flac_header_that_promises_too_little_loses_nothing(n_promised: int) -> None:
    recording = bytearray(encode_native("FLAC", "PCM_16", SWEEP))
    recording[21] &= 0xF0
    recording[22:26] = n_promised.to_bytes(4, "big")

    assert len(decode(bytes(recording))) == len(SWEEP)


@pytest.mark.parametrize("n_channels", [2, 3, 8])
def test_channels_are_averaged(n_channels: int) -> None:
    gains = np.linspace(0.5, 1.0, n_channels)
    recording = encode_native("WAV", "FLOAT", SWEEP[:, np.newaxis] * gains)

    np.testing.assert_allclose(decode(recording), SWEEP * gains.mean(), atol=1e-6)


def test_an_ogg_file_without_an_end_of_stream_flag_decodes_whole() -> None:
    recording = encode_native("OGG", "OPUS", make_sweep(6.0))
    last = recording.rindex(b"OggS")
    pages = recording[:last]  # ends with a whole page that does not say that it is the last

    decoded = decode(pages)

    assert 1.0 < len(decoded) / SAMPLING_RATE_HZ <= 6.0


def test_an_ogg_file_whose_last_page_promises_more_than_it_holds_decodes() -> None:
    recording = bytearray(encode_foreign("ogg", "libopus", SWEEP, 48_000))
    last = recording.rindex(b"OggS")
    granule = int.from_bytes(recording[last + 6 : last + 14], "little") + 1920  # 40 ms more, as WhatsApp writes
    recording[last + 6 : last + 14] = granule.to_bytes(8, "little")
    recording[last + 22 : last + 26] = bytes(4)
    recording[last + 22 : last + 26] = _checksum(recording[last:]).to_bytes(4, "little")

    assert len(decode(bytes(recording))) / SAMPLING_RATE_HZ == pytest.approx(DURATION_S, abs=0.05)


def _checksum(page: bytearray) -> int:
    """Ogg's CRC (RFC 3533, section 6)."""
    remainder = 0
    for byte in page:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C11DB7 if remainder & 0x80000000 else 0)) & 0xFFFFFFFF
    return remainder


def test_a_damaged_packet_in_the_middle_is_silence_of_its_length() -> None:
    recording = bytearray(encode_foreign("adts", "aac", SWEEP, 16_000))
    whole = decode(bytes(recording))
    frames = [at for at in range(len(recording) - 1) if recording[at : at + 2] == b"\xff\xf1"]
    middle, following = frames[len(frames) // 2 : len(frames) // 2 + 2]
    recording[middle + 7 : following] = b"\xff" * (following - middle - 7)

    decoded = decode(bytes(recording))

    assert len(decoded) == len(whole)
    assert np.count_nonzero(np.abs(decoded - whole) > 0.01) < 3 * 1024


def test_a_damaged_last_packet_costs_only_itself() -> None:
    recording = bytearray(encode_foreign("adts", "aac", SWEEP, 16_000))
    last = recording.rindex(b"\xff\xf1")
    recording[last + 7 :] = b"\xff" * (len(recording) - last - 7)

    assert len(decode(bytes(recording))) / SAMPLING_RATE_HZ == pytest.approx(DURATION_S, abs=0.13)


def test_a_file_stays_open_and_blocks_stay_short() -> None:
    file = io.BytesIO(encode_native("WAV", "PCM_16", make_sweep(25.0, rate_hz=44_100), 44_100))

    blocks = list(iter_blocks(file))

    assert not file.closed
    assert all(0 < len(block) <= 10 * SAMPLING_RATE_HZ for block in blocks)
    assert all(block.dtype == np.float32 for block in blocks)
