"""What FFmpeg plays is decoded: tags and junk before a recording, damage, boxes that lie, joined files."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from tests.unit.recordings import encode_channels, encode_foreign, encode_native
from tests.unit.sounds import make_sweep, make_voice
from worker.audio.decode import SAMPLING_RATE_HZ, iter_blocks
from worker.audio.errors import AudioError, AudioReason

VOICE = make_voice(3.0)
TAG = b"ID3\x03\x00\x00\x00\x00\x01\x00" + b"TIT2" + bytes(124)
LATIN1_TAG = b"TAG" + b"f\xfcr Fr\xe4nze".ljust(125, b"\0")


def decode(recording: bytes):
    return np.concatenate(list(iter_blocks(io.BytesIO(recording))))


def refuse(recording: bytes) -> AudioError:
    with pytest.raises(AudioError) as caught:
        list(iter_blocks(io.BytesIO(recording)))
    return caught.value


def find_frames(recording: bytes, sync: bytes) -> list[int]:
    return [at for at in range(len(recording) - 1) if recording.startswith(sync, at)]


MP3 = encode_native("MP3", "MPEG_LAYER_III", VOICE)
M4A = encode_foreign("ipod", "aac", VOICE, 16_000)
MOV = encode_foreign("mov", "aac", VOICE, 16_000)
TAGGED = {
    "MP3": MP3,
    "FLAC": encode_native("FLAC", "PCM_16", VOICE),
    "WAV": encode_native("WAV", "PCM_16", VOICE),
    "AAC": encode_foreign("adts", "aac", VOICE, 16_000),
    "Ogg": encode_native("OGG", "VORBIS", VOICE),
    "AIFF": encode_native("AIFF", "PCM_16", VOICE),
    "M4A": M4A,
}


@pytest.mark.parametrize("name", TAGGED)
@pytest.mark.parametrize("before", [TAG, TAG + TAG, TAG + bytes(1000)], ids=["a tag", "two tags", "a tag and zeros"])
def test_what_follows_an_id3_tag_is_looked_at(name: str, before: bytes) -> None:
    np.testing.assert_array_equal(decode(before + TAGGED[name]), decode(TAGGED[name]))


@pytest.mark.parametrize("before", [bytes(417), bytes(100_000), b"\x12\x34\xff\xfb\x00junk" * 30, MP3[100:900]])
@pytest.mark.parametrize("name", ["MP3", "AAC"])
def test_junk_before_the_first_frame_is_passed_over(before: bytes, name: str) -> None:
    expected = decode(TAGGED[name])

    decoded = decode(before + TAGGED[name])

    assert len(expected) <= len(decoded) <= len(expected) + 1.0 * SAMPLING_RATE_HZ
    tail = SAMPLING_RATE_HZ
    assert np.corrcoef(decoded[-tail:], expected[-tail:])[0, 1] > 0.99


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(26), b"\x1f\x8b" + bytes(100)], ids=["zip", "gzip"])
def test_an_archive_that_holds_an_mp3_is_none(content: bytes) -> None:
    assert refuse(content + MP3).reason is AudioReason.NOT_AUDIO


@pytest.mark.parametrize("muxer", ["mp3", "ipod", "3gp", "matroska"])
def test_a_tag_that_is_not_utf8_changes_nothing(muxer: str) -> None:
    codec, rate_hz = {"mp3": ("libmp3lame", 16_000), "matroska": ("libopus", 48_000)}.get(muxer, ("aac", 16_000))
    recording = encode_foreign(muxer, codec, VOICE, rate_hz)
    latin = recording.replace(b"Lavf", b"\xe4\xf6\xfc\xdf", 1)
    latin = latin if muxer == "mp3" else latin.replace(b"Lavc", b"\x83\x65\x83\x58")
    assert latin != recording

    decoded = decode(latin + LATIN1_TAG if muxer == "mp3" else latin)

    assert abs(len(decoded) - len(decode(recording))) <= 0.04 * SAMPLING_RATE_HZ


def test_an_ogg_flac_recording_decodes_to_what_was_encoded() -> None:
    decoded = decode(encode_foreign("ogg", "flac", VOICE, 16_000))

    np.testing.assert_allclose(decoded, VOICE, atol=1e-4)


@pytest.mark.parametrize("damage", [b"\x00\x00", b"\xff\x00", b"\xff\xe3"])
def test_an_mp3_frame_whose_header_is_damaged_costs_only_itself(damage: bytes) -> None:
    frames = find_frames(MP3, MP3[:2])
    broken = bytearray(MP3)
    middle = frames[len(frames) // 2]
    broken[middle : middle + 2] = damage

    decoded, expected = decode(bytes(broken)), decode(MP3)

    assert len(expected) <= len(decoded) < len(expected) + 600  # what the encoder padded is not taken away any more
    is_same = np.abs(decoded[: len(expected)] - expected) < 1e-3
    assert is_same[:20_000].all()
    assert is_same[-20_000:].all()
    assert np.count_nonzero(~is_same) < 6 * 576


@pytest.mark.parametrize("between", [b"", TAG, LATIN1_TAG, LATIN1_TAG + TAG])
def test_mp3_files_that_were_joined_are_decoded_whole(between: bytes) -> None:
    other = encode_foreign("mp3", "libmp3lame", make_sweep(2.0), 16_000)

    decoded = decode(MP3 + between + other)  # with what both encoders padded, and the frame that holds the count

    assert len(decoded) / SAMPLING_RATE_HZ == pytest.approx(5.0, abs=0.3)


def test_joined_mp3_files_of_different_rates_are_decoded_whole() -> None:
    other = encode_native("MP3", "MPEG_LAYER_III", make_sweep(2.0, rate_hz=44_100), 44_100)

    assert len(decode(MP3 + other)) / SAMPLING_RATE_HZ == pytest.approx(5.0, abs=0.3)


def test_of_joined_mp3_files_the_last_may_not_be_cut() -> None:
    other = encode_foreign("mp3", "libmp3lame", VOICE, 16_000)

    assert refuse(MP3 + other[: len(other) // 2]).reason is AudioReason.TRUNCATED


def shift_offsets(recording: bytes, n_bytes: int) -> bytes:
    """Move every chunk that the index of an MP4 file names."""
    moved = bytearray(recording)
    at = moved.index(b"stco") + 8
    for place in range(at + 4, at + 4 + 4 * int.from_bytes(moved[at : at + 4], "big"), 4):
        offset = int.from_bytes(moved[place : place + 4], "big") + n_bytes
        moved[place : place + 4] = offset.to_bytes(4, "big")
    return bytes(moved)


def put_index_first(recording: bytes) -> bytes:
    index = recording.index(b"moov") - 4
    sound = recording.index(b"mdat") - 4
    moved = shift_offsets(recording, len(recording) - index)
    return moved[:sound] + moved[index:] + moved[sound:index]


def resize_box(recording: bytes, name: bytes, n_bytes: int) -> bytes:
    at = recording.rindex(name) - 4
    size = int.from_bytes(recording[at : at + 4], "big") + n_bytes
    return recording[:at] + size.to_bytes(4, "big") + recording[at + 4 :]


@pytest.mark.parametrize("excess", [1, 8, 60])
def test_a_last_box_that_says_it_is_a_little_longer_changes_nothing(excess: int) -> None:
    expected = decode(M4A)

    np.testing.assert_array_equal(decode(resize_box(put_index_first(M4A), b"mdat", excess)), expected)
    np.testing.assert_array_equal(decode(resize_box(M4A, b"moov", excess)), expected)


@pytest.mark.parametrize("n_cut", [20, 200, 3000])
def test_a_recording_whose_last_samples_are_missing_is_truncated_however_long_its_box(n_cut: int) -> None:
    cut = put_index_first(M4A)[:-n_cut]

    assert refuse(cut).reason is AudioReason.TRUNCATED
    assert refuse(resize_box(cut, b"mdat", -n_cut)).reason is AudioReason.TRUNCATED


def test_a_quicktime_recording_without_a_type_is_decoded() -> None:
    ftyp = int.from_bytes(MOV[:4], "big")
    bare = shift_offsets(MOV, -ftyp)[ftyp:]

    assert bare[4:8] in (b"wide", b"free", b"mdat")
    np.testing.assert_array_equal(decode(bare), decode(MOV))


def test_a_recording_whose_sound_box_never_ended_was_never_finished() -> None:
    at = MOV.index(b"mdat")

    error = refuse(MOV[: at - 4] + bytes(4) + MOV[at:-2000])

    assert error.reason is AudioReason.TRUNCATED


@pytest.mark.parametrize("n_channels", [1, 2, 6, 8])
def test_aac_of_up_to_eight_channels_decodes(n_channels: int) -> None:
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[n_channels]
    signal = np.tile(VOICE[:, np.newaxis], n_channels)

    decoded = decode(encode_channels("mp4", "aac", signal, 16_000, layout))

    assert len(decoded) == pytest.approx(len(VOICE), abs=2048)
    assert np.abs(decoded).max() > 0.2


JOINED = {
    "WAV": encode_native("WAV", "PCM_16", VOICE),
    "RF64": encode_native("RF64", "PCM_16", VOICE),
    "Wave64": encode_native("W64", "PCM_16", VOICE),
    "AIFF": encode_native("AIFF", "PCM_16", VOICE),
    "CAF": encode_native("CAF", "PCM_16", VOICE),
    "FLAC": encode_native("FLAC", "PCM_16", VOICE),
    "M4A": M4A,
    "fragments": encode_foreign("mp4", "aac", VOICE, 16_000, movflags="frag_keyframe+empty_moov+default_base_moof"),
    "WebM": encode_foreign("webm", "libopus", VOICE, 48_000),
    "streamed WebM": encode_foreign("webm", "libopus", VOICE, 48_000, live="1"),
    "AAC": TAGGED["AAC"],
    "AMR": encode_foreign("amr", "libopencore_amrnb", VOICE, 8_000),
}


@pytest.mark.parametrize("name", JOINED)
def test_files_that_were_joined_are_decoded_whole(name: str) -> None:
    once = decode(JOINED[name])

    twice = decode(JOINED[name] * 2)

    assert abs(len(twice) - 2 * len(once)) <= 0.07 * SAMPLING_RATE_HZ
    assert np.abs(twice[-SAMPLING_RATE_HZ:] - once[-SAMPLING_RATE_HZ:]).max() < 0.01


@pytest.mark.parametrize("name", ["WAV", "AIFF", "CAF", "M4A", "WebM"])
def test_of_files_that_were_joined_none_may_be_cut(name: str) -> None:
    assert refuse(JOINED[name] + JOINED[name][: len(JOINED[name]) // 2]).reason is AudioReason.TRUNCATED


def test_a_wav_header_that_says_less_than_follows_is_not_believed() -> None:
    recording = bytearray(JOINED["WAV"])
    recording[40:44] = struct.pack("<I", len(VOICE))  # half of it, as of a recorder that crashed

    np.testing.assert_array_equal(decode(bytes(recording)), decode(JOINED["WAV"]))


def test_chunks_and_tags_behind_the_sound_are_no_sound() -> None:
    behind = [b"LIST" + struct.pack("<I", 40_000) + bytes(range(250)) * 160, bytes(40_000), b"ID3\x03" + b"x" * 40_000]

    for tail in behind:
        np.testing.assert_array_equal(decode(JOINED["WAV"] + tail), decode(JOINED["WAV"]))


@pytest.mark.parametrize("name", ["AIFF", "CAF", "WAV", "FLAC", "Wave64"])
def test_a_tag_behind_the_sound_changes_nothing(name: str) -> None:
    np.testing.assert_array_equal(decode(JOINED[name] + LATIN1_TAG), decode(JOINED[name]))


def test_a_wav_recording_of_the_other_byte_order_is_the_same_sound() -> None:
    head = (
        b"RIFX"
        + struct.pack(">I", 36 + 2 * len(VOICE))
        + b"WAVEfmt "
        + struct.pack(">IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    )
    samples = np.round(VOICE * 32767).astype(">i2").tobytes()
    recording = head + b"data" + struct.pack(">I", len(samples)) + samples

    np.testing.assert_allclose(decode(recording), VOICE, atol=1e-4)


def test_sound_in_a_second_chunk_is_not_left_out_in_silence() -> None:
    error = refuse(JOINED["WAV"] + JOINED["WAV"][36:])

    assert error.reason is AudioReason.DECODE_ERROR
    assert "two data chunks" in error.detail


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), b"read me\n" * 20, bytes(500)], ids=["a tag", "text", "zeros"])
@pytest.mark.parametrize("name", ["AMR", "AAC", "M4A", "WebM", "streamed WebM", "WAV"])
def test_what_someone_appended_is_left_out(name: str, tail: bytes) -> None:
    assert abs(len(decode(JOINED[name] + tail)) - len(decode(JOINED[name]))) <= 0.02 * SAMPLING_RATE_HZ


def test_zeros_in_the_middle_of_a_webm_recording_do_not_end_it() -> None:
    recording = bytearray(encode_foreign("webm", "libopus", make_voice(12.0), 48_000))
    middle = len(recording) // 2
    recording[middle : middle + 2000] = bytes(2000)

    # FFmpeg may find its way behind them or not; the half before them alone is no answer.
    refused = {AudioReason.TRUNCATED, AudioReason.DECODE_ERROR}
    assert find_end(bytes(recording)) in refused or find_end(bytes(recording)) == pytest.approx(12.0, abs=0.1)


def find_end(recording: bytes) -> float | AudioReason:
    """Seconds of sound, up to where the last of it is loud, or the reason."""
    try:
        return float(np.flatnonzero(np.abs(decode(recording)) > 0.01)[-1]) / SAMPLING_RATE_HZ
    except AudioError as error:
        return error.reason


@pytest.mark.parametrize("n_promised", [len(VOICE), 0], ids=["counted", "streamed"])
def test_damage_in_flac_is_silence_and_no_burst(n_promised: int) -> None:
    recording = bytearray(encode_native("FLAC", "PCM_16", make_voice(20.0, peak=0.3)))
    recording[21] &= 0xF0
    recording[22:26] = (20 * 16_000 if n_promised else 0).to_bytes(4, "big")
    whole = decode(bytes(recording))
    middle = len(recording) // 2
    recording[middle : middle + 8] = b"\x55\xaa" * 4

    decoded = decode(bytes(recording))

    assert len(decoded) == len(whole)
    assert np.abs(decoded).max() <= np.abs(whole).max() + 1e-6
    assert np.count_nonzero(decoded != whole) <= 2 * 4608


@pytest.mark.parametrize("codec", ["pcm_f32le", "pcm_s24le", "pcm_s32le", "pcm_s16le"])
@pytest.mark.parametrize("muxer", ["wav", "w64", "aiff", "caf", "mov", "matroska"])
def test_uncompressed_sound_is_the_same_whoever_wrote_it(muxer: str, codec: str) -> None:
    codec = codec.replace("le", "be") if muxer == "aiff" else codec

    np.testing.assert_allclose(decode(encode_foreign(muxer, codec, VOICE, 16_000)), VOICE, atol=1e-4)


@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_codecs_of_packets_are_not_taken_in_wav(codec: str) -> None:
    assert refuse(encode_foreign("wav", codec, VOICE, 16_000)).reason is AudioReason.UNSUPPORTED_CODEC


MORE = {
    "MP2": ("mp2", "mp2", 16_000),
    "MP2 in Matroska": ("matroska", "mp2", 48_000),
    "MP2 in WAV": ("wav", "mp2", 16_000),
    "MP3 in WAV": ("wav", "libmp3lame", 16_000),
    "G.726 in WAV": ("wav", "g726", 8_000),
    "G.722 in WAV": ("wav", "g722", 16_000),
    "MS ADPCM in WAV": ("wav", "adpcm_ms", 16_000),
    "PCM of 8 bits in Matroska": ("matroska", "pcm_u8", 16_000),
    "PCM of 8 bits in QuickTime": ("mov", "pcm_s8", 16_000),
    "PCM of 64 bits in Matroska": ("matroska", "pcm_f64le", 16_000),
    "AAC in LATM": ("latm", "aac", 16_000),
    "AAC in Matroska": ("matroska", "aac", 16_000),
    "Wave64": ("w64", "pcm_s16le", 16_000),
    "AIFF-C of the other byte order": ("aiff", "pcm_s16le", 16_000),
    "AIFF-C mu-law": ("aiff", "pcm_mulaw", 8_000),
    "CAF mu-law": ("caf", "pcm_mulaw", 8_000),
    "AMR in QuickTime": ("mov", "libopencore_amrnb", 8_000),
    "fragments": ("ismv", "aac", 16_000),
}


@pytest.mark.parametrize("name", MORE)
def test_what_else_ffmpeg_plays_decodes_to_the_same_length(name: str) -> None:
    muxer, codec, rate_hz = MORE[name]

    decoded = decode(encode_foreign(muxer, codec, VOICE, rate_hz))

    assert len(decoded) / SAMPLING_RATE_HZ == pytest.approx(3.0, abs=0.2)
    assert np.sqrt(np.mean(np.square(decoded))) > 0.03


@pytest.mark.parametrize("tag", [0x160, 0x2000, 0x1234])
def test_a_codec_in_wav_that_is_not_taken_is_named(tag: int) -> None:
    recording = bytearray(encode_foreign("wav", "g726", VOICE, 8_000))
    recording[20:22] = struct.pack("<H", tag)

    assert refuse(bytes(recording)).reason is AudioReason.UNSUPPORTED_CODEC
