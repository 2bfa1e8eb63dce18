"""What decodes is held against what the container says; a missing end is a reason, whichever decoder it is."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from tests.hostile.mutate import repair_ogg_checksums
from tests.unit.recordings import encode_foreign, encode_native, make_amr_wb_speech
from tests.unit.sounds import Signal, make_sweep, make_voice
from worker.audio.container import describe_recording
from worker.audio.decode import iter_blocks
from worker.audio.decoders import Block, takeover
from worker.audio.errors import AudioError, AudioReason

VOICE = make_voice(6.0)
WHOLE = {
    "WAV": encode_native("WAV", "PCM_16", VOICE),
    "WAV ADPCM": encode_native("WAV", "IMA_ADPCM", VOICE),
    "WAV GSM": encode_native("WAV", "GSM610", VOICE),
    "WAV of 24 bits, extensible": encode_native("WAVEX", "PCM_24", VOICE),
    "RF64": encode_native("RF64", "PCM_16", VOICE),
    "Wave64": encode_native("W64", "PCM_16", VOICE),
    "AIFF": encode_native("AIFF", "PCM_16", VOICE),
    "AIFF-C": encode_native("AIFF", "ULAW", VOICE),
    "CAF": encode_native("CAF", "PCM_16", VOICE),
    "CAF ALAC": encode_native("CAF", "ALAC_16", VOICE),
    "FLAC": encode_native("FLAC", "PCM_16", VOICE),
    "MP3": encode_native("MP3", "MPEG_LAYER_III", VOICE),
    "MP3 by LAME": encode_foreign("mp3", "libmp3lame", VOICE, 44_100),
    "Ogg Opus": encode_foreign("ogg", "libopus", VOICE, 48_000),
    "Ogg Opus at 16 kHz": encode_native("OGG", "OPUS", VOICE),
    "Ogg Vorbis": encode_native("OGG", "VORBIS", VOICE),
    "Ogg FLAC": encode_foreign("ogg", "flac", VOICE, 16_000),
    "M4A": encode_foreign("ipod", "aac", VOICE, 44_100),
    "M4A ALAC": encode_foreign("ipod", "alac", VOICE, 44_100),
    "3GP": encode_foreign("3gp", "libopencore_amrnb", VOICE, 8_000),
    "QuickTime PCM": encode_foreign("mov", "pcm_s16le", VOICE, 16_000),
    "WebM": encode_foreign("webm", "libopus", VOICE, 48_000),
    "AAC": encode_foreign("adts", "aac", VOICE, 16_000),
    "AMR": encode_foreign("amr", "libopencore_amrnb", VOICE, 8_000),
    "AMR-WB": make_amr_wb_speech(300),
}


def decode(recording: bytes) -> Signal:
    return np.concatenate(list(iter_blocks(io.BytesIO(recording))))


def refuse(recording: bytes) -> AudioError:
    with pytest.raises(AudioError) as caught:
        list(iter_blocks(io.BytesIO(recording)))
    return caught.value


@pytest.mark.parametrize("name", WHOLE)
def test_a_container_says_how_long_its_sound_is(name: str) -> None:
    (part,) = describe_recording(io.BytesIO(WHOLE[name]))

    seconds = len(decode(WHOLE[name])) / 16_000
    assert part.length_s is not None
    assert part.length_s - part.tolerance_s <= seconds + 1e-3
    assert part.length_s == pytest.approx(seconds, abs=0.1)
    assert part.tolerance_s < 0.4


class HalfADecoder:
    """Stops in the middle, as a decoder does that takes something for the end of the file."""

    def __init__(self, decoder) -> None:
        self.decoder = decoder

    def read_blocks(self) -> Iterator[Block]:
        blocks = list(self.decoder.read_blocks())
        yield from blocks[: len(blocks) // 2]
        middle = blocks[len(blocks) // 2]
        yield Block(middle.samples[: len(middle.samples) // 2], middle.rate_hz)

    def close(self) -> None:
        self.decoder.close()


@pytest.mark.parametrize("name", WHOLE)
def test_a_decoder_that_stops_early_is_no_end_of_the_recording(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = takeover.choose_decoders

    def choose_halves(part):
        return [lambda file, part, opened=opened: HalfADecoder(opened(file, part)) for opened in choose(part)]

    monkeypatch.setattr(takeover, "choose_decoders", choose_halves)

    assert refuse(WHOLE[name]).reason is AudioReason.TRUNCATED


TWO_DECODERS = [name for name in WHOLE if name.split()[0] in ("WAV", "RF64", "AIFF", "AIFF-C", "CAF", "FLAC", "Ogg")]
TWO_DECODERS.remove("Ogg FLAC")  # libsndfile opens none


@pytest.mark.parametrize("name", TWO_DECODERS)
def test_where_the_first_decoder_stops_early_the_second_goes_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = decode(WHOLE[name])
    choose = takeover.choose_decoders

    def choose_half_first(part):
        first, second = choose(part)
        return [lambda file, part: HalfADecoder(first(file, part)), second]

    monkeypatch.setattr(takeover, "choose_decoders", choose_half_first)

    decoded = decode(WHOLE[name])

    n_same = min(len(decoded), len(expected))
    assert abs(len(decoded) - len(expected)) <= 0.1 * 16_000
    assert np.corrcoef(decoded[:n_same], expected[:n_same])[0, 1] > 0.99


def test_a_decoder_that_gives_something_else_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = takeover.choose_decoders
    other = encode_native("WAV", "PCM_16", make_sweep(6.0))

    def choose_wrong_second(part):
        first, second = choose(part)
        return [lambda file, part: HalfADecoder(first(file, part)), lambda _file, part: second(io.BytesIO(other), part)]

    monkeypatch.setattr(takeover, "choose_decoders", choose_wrong_second)

    assert refuse(WHOLE["WAV"]).reason is AudioReason.TRUNCATED


def test_what_a_header_says_too_little_of_is_decoded_whole() -> None:
    recording = bytearray(WHOLE["MP3 by LAME"])
    at = max(recording.find(b"Xing"), recording.find(b"Info")) + 8
    recording[at : at + 4] = (10).to_bytes(4, "big")

    assert len(decode(bytes(recording))) >= len(VOICE)


@pytest.mark.parametrize("n_missing", [0.05, 0.5])
def test_an_mp3_whose_frames_are_fewer_than_its_header_counts_is_truncated(n_missing: float) -> None:
    recording = WHOLE["MP3 by LAME"]
    start = recording.index(b"\xff\xfb")
    frames = [at for at in range(start, len(recording) - 1) if recording[at : at + 2] == b"\xff\xfb"]
    cut = recording[: frames[int(len(frames) * (1 - n_missing))]]
    at = max(cut.find(b"Xing"), cut.find(b"Info"))
    no_bytes = cut[: at + 4] + (1).to_bytes(4, "big") + cut[at + 8 : at + 12] + cut[at + 16 :]

    assert refuse(no_bytes).reason is AudioReason.TRUNCATED


def test_a_vbri_header_is_counted() -> None:
    recording = bytearray(WHOLE["MP3 by LAME"])
    start = recording.index(b"\xff\xfb")
    for word in (b"Xing", b"Info"):
        recording = recording.replace(word, bytes(4))
    n_frames = 2 * recording.count(b"\xff\xfb")
    recording[start + 36 : start + 54] = b"VBRI" + struct.pack(">HHHII", 1, 0, 0, 0, n_frames)

    assert refuse(bytes(recording)).reason is AudioReason.TRUNCATED


def test_an_ogg_recording_whose_last_page_lies_is_scored_only_if_it_lies_little() -> None:
    recording = bytearray(encode_foreign("ogg", "libopus", VOICE, 48_000))
    last = recording.rindex(b"OggS")
    position = int.from_bytes(recording[last + 6 : last + 14], "little")
    recording[last + 6 : last + 14] = (position + 48_000 * 60).to_bytes(8, "little")

    assert refuse(repair_ogg_checksums(bytes(recording))).reason is AudioReason.TRUNCATED


@pytest.mark.parametrize("muxer", ["mp4", "matroska"])
def test_a_recording_whose_clock_says_more_than_it_holds_is_truncated(muxer: str) -> None:
    if muxer == "mp4":
        recording = bytearray(encode_foreign("mp4", "aac", VOICE, 16_000))
        at = recording.index(b"stts") + 8  # the number of samples that last a while each
        recording[at + 4 : at + 8] = (200).to_bytes(4, "big")
        recording[recording.index(b"elst") : recording.index(b"elst") + 4] = b"free"
    else:
        recording = bytearray(encode_foreign("matroska", "libopus", VOICE, 48_000, live="1"))
        at = recording.index(
            b"\x2a\xd7\xb1"
        )  # TimestampScale gives way to Duration, as tools add it to live recordings
        recording[at : at + 7] = b"\x44\x89\x84" + struct.pack(">f", 9000.0)

    assert refuse(bytes(recording)).reason is AudioReason.TRUNCATED


@pytest.mark.parametrize("name", ["WAV", "AIFF", "CAF"])
def test_a_data_size_that_is_a_little_off_changes_nothing(name: str) -> None:
    assert len(decode(WHOLE[name][:-40])) == len(VOICE) - 20
