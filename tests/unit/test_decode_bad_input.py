"""What is no recording is refused with its reason, the value and what was allowed."""

from __future__ import annotations

import io
import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.unit.recordings import encode_foreign, encode_native
from tests.unit.sounds import make_silence, make_sweep
from worker.audio.decode import Limits, iter_blocks
from worker.audio.errors import AudioError, AudioReason

SWEEP = make_sweep(2.0)
WAV = encode_native("WAV", "PCM_16", SWEEP)


def refuse(recording: bytes, limits: Limits | None = None) -> AudioError:
    with pytest.raises(AudioError) as caught:
        list(iter_blocks(io.BytesIO(recording), limits=limits))
    return caught.value


def patch(recording: bytes, offset: int, content: bytes) -> bytes:
    return recording[:offset] + content + recording[offset + len(content) :]


NOT_AUDIO = {
    "text": b"Dear diary, today I was happy.\n" * 40,
    "utf-16 text": "Dear diary".encode("utf-16"),
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
    "ffconcat": b"ffconcat version 1.0\nfile '/etc/hostname'\n",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    "dash": b'<?xml version="1.0"?><MPD><Period/></MPD>',
    "zip": b"PK\x03\x04" + bytes(100),
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(100),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "pdf": b"%PDF-1.7\n",
    "one byte": b"\x00",
    "zeros": bytes(5000),
}
REFUSED = {
    "AU": b".snd" + bytes(100),
    "MAT": b"MATLAB 5.0 MAT-file" + bytes(100),
    "Windows Media (ASF)": bytes.fromhex("3026b2758e66cf11") + bytes(100),
}


@pytest.mark.parametrize("name", NOT_AUDIO)
def test_what_is_not_audio_is_refused_by_its_first_bytes(name: str) -> None:
    error = refuse(NOT_AUDIO[name])

    assert error.reason is AudioReason.NOT_AUDIO
    assert "allowed are WAV" in error.detail


def make_ones(rng: np.random.Generator) -> bytes:
    """Random bytes with long rows of ones in them, as programs have."""
    return b"".join(rng.bytes(40) + b"\xff" * 8 + bytes(int(rng.integers(20))) for _ in range(4000))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("before", [b"", bytes(300), b"\xff" * 300, b"\x7fELF", b"\x89PNG\r\n"])
def test_bytes_that_are_no_recording_are_none_whatever_they_contain(seed: int, before: bytes) -> None:
    rng = np.random.default_rng(seed)

    assert refuse(before + b"\x01" + rng.bytes(300_000)).reason is AudioReason.NOT_AUDIO
    assert refuse(before + b"\x01" + make_ones(rng)).reason is AudioReason.NOT_AUDIO


def test_a_program_is_no_recording() -> None:
    assert refuse(Path(sys.executable).read_bytes()[:4_000_000]).reason is AudioReason.NOT_AUDIO


@pytest.mark.parametrize("name", REFUSED)
def test_a_container_that_is_not_allowed_is_named(name: str) -> None:
    error = refuse(REFUSED[name])

    assert error.reason is AudioReason.UNSUPPORTED_CODEC
    assert name in error.detail


def test_an_empty_file_has_zero_bytes() -> None:
    assert refuse(b"").reason is AudioReason.ZERO_BYTES


def test_an_ogg_file_of_another_codec_is_refused() -> None:
    page = b"OggS\x00\x02" + bytes(20) + b"\x01\x50" + b"\x80theora\x03" + bytes(72)

    error = refuse(page)

    assert error.reason is AudioReason.UNSUPPORTED_CODEC
    assert "theora" in error.detail


def test_an_mp4_file_of_another_codec_is_refused() -> None:
    recording = encode_foreign("matroska", "ac3", SWEEP, 48_000)

    error = refuse(recording)

    assert error.reason is AudioReason.UNSUPPORTED_CODEC
    assert "ac3" in error.detail


def test_a_file_over_the_limit_of_bytes_is_too_large() -> None:
    error = refuse(WAV, Limits(max_bytes=1000))

    assert error.reason is AudioReason.TOO_LARGE
    assert error.detail == f"the file has {len(WAV)} bytes, allowed are 1000"


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_recording_over_the_limit_of_duration_is_too_long(kind: str) -> None:
    subtype = {"WAV": "PCM_16", "FLAC": "PCM_16", "OGG": "OPUS", "MP3": "MPEG_LAYER_III"}[kind]

    error = refuse(encode_native(kind, subtype, SWEEP), Limits(max_duration_s=1.0))

    assert error.reason is AudioReason.TOO_LONG
    assert "1.0 s" in error.detail


@pytest.mark.parametrize("rate_hz", [1, 3_999, 192_001, 1_000_000])
def test_a_sampling_rate_out_of_range_is_refused(rate_hz: int) -> None:
    error = refuse(patch(WAV, 24, struct.pack("<I", rate_hz)))

    assert error.reason is AudioReason.BAD_FORMAT
    assert f"{rate_hz} Hz" in error.detail


def test_too_many_channels_are_refused() -> None:
    error = refuse(encode_native("WAV", "PCM_16", np.tile(SWEEP[:, np.newaxis], 16)))

    assert error.reason is AudioReason.BAD_FORMAT
    assert "16 channels, allowed are 1 to 8" in error.detail


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_sample_that_is_not_finite_is_refused(value: float, rate_hz: int) -> None:
    signal = make_sweep(1.0, rate_hz=rate_hz).copy()
    signal[777] = value

    error = refuse(encode_native("WAV", "FLOAT", signal, rate_hz))

    assert error.reason is AudioReason.NON_FINITE
    assert "0 are allowed" in error.detail


CUT = [("WAV", "PCM_16"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16")]
CUT += [("OGG", "OPUS"), ("OGG", "VORBIS"), ("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("MP3", "MPEG_LAYER_III")]


@pytest.mark.parametrize(("kind", "subtype"), CUT)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_file_that_was_cut_off_is_truncated(kind: str, subtype: str, share: float) -> None:
    recording = encode_native(kind, subtype, make_sweep(6.0))

    error = refuse(recording[: int(len(recording) * share)])

    assert error.reason is AudioReason.TRUNCATED


CUT_FOREIGN = [("ipod", "aac", 44_100), ("3gp", "libopencore_amrnb", 8_000), ("webm", "libopus", 48_000)]
CUT_FOREIGN += [("amr", "libopencore_amrnb", 8_000), ("adts", "aac", 16_000), ("ipod", "alac", 44_100)]


@pytest.mark.parametrize(("muxer", "codec", "rate_hz"), CUT_FOREIGN)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_phone_recording_that_was_cut_off_is_truncated(muxer: str, codec: str, rate_hz: int, share: float) -> None:
    recording = encode_foreign(muxer, codec, make_sweep(6.0), rate_hz)

    error = refuse(recording[: int(len(recording) * share) + 1])

    assert error.reason is AudioReason.TRUNCATED


def test_an_mp3_that_was_cut_off_in_its_tag_is_truncated() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x0f\x00" + bytes(15 * 128)
    whole = tag + encode_native("MP3", "MPEG_LAYER_III", SWEEP)

    assert sum(map(len, iter_blocks(io.BytesIO(whole)))) >= len(SWEEP)
    assert refuse(whole[:1000]).reason is AudioReason.TRUNCATED


def test_an_mp4_recording_that_was_never_finished_is_truncated() -> None:
    recording = encode_foreign("ipod", "aac", SWEEP, 44_100)
    without_index = recording[: recording.index(b"moov") - 4]

    assert refuse(without_index).reason is AudioReason.TRUNCATED


def test_a_flac_header_that_promises_terabytes_is_refused_without_believing_it() -> None:
    recording = bytearray(encode_native("FLAC", "PCM_16", SWEEP))
    recording[21] |= 0x0F
    recording[22:26] = b"\xff\xff\xff\xff"

    assert refuse(bytes(recording)).reason is AudioReason.TRUNCATED


def test_a_wav_header_alone_has_no_sample() -> None:
    error = refuse(encode_native("WAV", "PCM_16", make_silence(0.0)))

    assert error.reason is AudioReason.DECODE_ERROR
    assert "no sample" in error.detail


def test_damage_of_every_third_frame_is_a_decode_error() -> None:
    recording = bytearray(encode_foreign("adts", "aac", SWEEP, 16_000))
    frames = [at for at in range(len(recording) - 1) if recording[at : at + 2] == b"\xff\xf1"]
    for start, end in zip(frames[::3], frames[1::3], strict=False):
        recording[start + 7 : end] = b"\xff" * (end - start - 7)

    error = refuse(bytes(recording))

    assert error.reason is AudioReason.DECODE_ERROR
    assert "damaged packets" in error.detail


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF"])
def test_mutants_end_in_sound_or_in_a_reason(kind: str) -> None:
    subtype = {"OGG": "OPUS", "MP3": "MPEG_LAYER_III"}.get(kind, "PCM_16")
    original = encode_native(kind, subtype, make_sweep(0.5))
    rng = np.random.default_rng(20261122)
    reasons = []

    for _ in range(8):
        mutant = bytearray(original)
        for at in rng.integers(0, len(mutant), 6):
            mutant[at] = rng.integers(256)
        try:
            blocks = list(iter_blocks(io.BytesIO(bytes(mutant)), limits=Limits(max_duration_s=10.0)))
        except AudioError as error:
            reasons.append(error.reason)
        else:
            assert all(np.isfinite(block).all() for block in blocks)

    assert AudioReason.ZERO_BYTES not in reasons


def test_an_error_crosses_a_process_boundary_whole() -> None:
    error = refuse(b"hello")

    copy = pickle.loads(pickle.dumps(error))

    assert (copy.reason, copy.detail, str(copy)) == (error.reason, error.detail, str(error))
