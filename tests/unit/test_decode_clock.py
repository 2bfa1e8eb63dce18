"""Sound stands where the container's clock puts it: gaps are silence, stamps that lie are not believed for long."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from tests.hostile.mutate import repair_ogg_checksums
from tests.unit.recordings import encode_foreign, encode_native, encode_with_gap
from tests.unit.sounds import Signal, make_sweep, make_voice
from worker.audio.decode import SAMPLING_RATE_HZ, Limits, iter_blocks
from worker.audio.decoders.clock import MAX_DRIFT_S, Clock
from worker.audio.errors import AudioError, AudioReason

VOICE = make_voice(6.0)
GAP_S = 20.0
STAMPED = {
    "webm": ("webm", "libopus", 48_000),
    "matroska": ("matroska", "libopus", 48_000),
    "AAC in Matroska": ("matroska", "aac", 48_000),
    "ogg": ("ogg", "libopus", 48_000),
    "ogg 16k": ("ogg", "libopus", 16_000),
    "mp4": ("mp4", "aac", 44_100),
    "3gp": ("3gp", "libopencore_amrnb", 8_000),
    "opus in mp4": ("mp4", "libopus", 48_000),
}


def decode(recording: bytes, limits: Limits | None = None) -> Signal:
    return np.concatenate(list(iter_blocks(io.BytesIO(recording), limits=limits)))


def find_pages(recording: bytes | bytearray) -> list[int]:
    return [at for at in range(len(recording)) if recording[at : at + 5] == b"OggS\0"]


def move_page(recording: bytearray, at: int, n_samples: int) -> None:
    position = int.from_bytes(recording[at + 6 : at + 14], "little") + n_samples
    recording[at + 6 : at + 14] = position.to_bytes(8, "little")


@pytest.mark.parametrize("name", STAMPED)
@pytest.mark.parametrize("gap_s", [0.5, GAP_S])
def test_where_the_clock_runs_on_there_is_silence(name: str, gap_s: float) -> None:
    muxer, codec, rate_hz = STAMPED[name]
    whole = decode(encode_foreign(muxer, codec, VOICE, rate_hz))

    options = {"page_duration": "20000"} if muxer == "ogg" else {}  # a gap within a page cannot be told
    decoded = decode(encode_with_gap(muxer, codec, VOICE, rate_hz, at_s=2.5, gap_s=gap_s, **options))

    n_gap = round(gap_s * SAMPLING_RATE_HZ)
    tolerance = MAX_DRIFT_S * SAMPLING_RATE_HZ
    assert abs(len(decoded) - len(whole) - n_gap) <= 2 * tolerance
    middle = round(2.5 * SAMPLING_RATE_HZ)
    assert np.abs(decoded[middle + 2000 : middle + n_gap - 2000]).max() < 1e-3
    after = decoded[middle + n_gap + 1600 :]
    expected = whole[middle + 1600 :][: len(after)]
    size = 1 << (len(after) + len(expected)).bit_length()
    products = np.fft.irfft(np.fft.rfft(after, size) * np.conj(np.fft.rfft(expected, size)), size)
    shift = int(np.argmax(products))
    assert min(shift, size - shift) <= tolerance


def test_discontinuous_transmission_keeps_the_clock() -> None:
    """Packets of a pause are left out but for one in 400 ms, as Opus encoders do."""
    import av  # noqa: PLC0415

    whole = encode_foreign("webm", "libopus", VOICE, 48_000)
    file = io.BytesIO()
    with av.open(io.BytesIO(whole)) as source, av.open(file, "w", format="webm") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for number, packet in enumerate(source.demux(source.streams.audio[0])):
            if packet.dts is None or (100 <= number < 200 and number % 20):
                continue
            packet.stream = stream
            target.mux(packet)

    decoded, expected = decode(file.getvalue()), decode(whole)

    assert abs(len(decoded) - len(expected)) <= MAX_DRIFT_S * SAMPLING_RATE_HZ
    tail = slice(-SAMPLING_RATE_HZ, None)
    best = max(np.corrcoef(np.roll(decoded[tail], n), expected[tail])[0, 1] for n in range(-700, 700))
    assert best > 0.9


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
@pytest.mark.parametrize("n_samples", [480, 489, 960])
def test_page_positions_that_jump_by_a_lost_frame_lose_nothing(rate_hz: int, n_samples: int) -> None:
    native = rate_hz == SAMPLING_RATE_HZ
    recording = bytearray(
        encode_native("OGG", "OPUS", VOICE) if native else encode_foreign("ogg", "libopus", VOICE, rate_hz)
    )
    whole = decode(bytes(recording))
    pages = find_pages(recording)
    for at in pages[4:]:
        move_page(recording, at, n_samples)

    decoded = decode(repair_ogg_checksums(bytes(recording)))

    assert abs(len(decoded) - len(whole)) <= 0.03 * SAMPLING_RATE_HZ
    assert np.corrcoef(decoded[:40_000], whole[:40_000])[0, 1] > 0.99


@pytest.mark.parametrize("codec", ["opus 16k", "opus", "vorbis", "flac"])
def test_a_lost_page_is_silence_of_its_length(codec: str) -> None:
    recording = {
        "opus 16k": lambda: encode_native("OGG", "OPUS", VOICE),
        "opus": lambda: encode_foreign("ogg", "libopus", VOICE, 48_000, page_duration="500000"),
        "vorbis": lambda: encode_native("OGG", "VORBIS", VOICE),
        "flac": lambda: encode_foreign("ogg", "flac", VOICE, 16_000, page_duration="500000"),
    }[codec]()
    pages = find_pages(recording)
    lost = pages[len(pages) // 2], pages[len(pages) // 2 + 1]

    decoded, whole = decode(recording[: lost[0]] + recording[lost[1] :]), decode(recording)

    assert abs(len(decoded) - len(whole)) <= (MAX_DRIFT_S + 0.15) * SAMPLING_RATE_HZ
    tail = slice(-SAMPLING_RATE_HZ, None)
    best = max(np.corrcoef(np.roll(decoded[tail], n), whole[tail])[0, 1] for n in range(-3000, 3000, 4))
    assert best > 0.5


@pytest.mark.parametrize("codec", ["opus 16k", "opus", "vorbis"])
def test_a_page_that_is_damaged_is_silence_of_its_length(codec: str) -> None:
    recording = bytearray(
        encode_foreign("ogg", "libopus", VOICE, 48_000, page_duration="500000")
        if codec == "opus"
        else encode_native("OGG", "VORBIS" if codec == "vorbis" else "OPUS", make_voice(20.0))
    )
    whole = decode(bytes(recording))
    pages = find_pages(recording)
    middle = (pages[len(pages) // 2] + pages[len(pages) // 2 + 1]) // 2
    recording[middle] ^= 0x40

    decoded = decode(bytes(recording))

    assert abs(len(decoded) - len(whole)) <= (MAX_DRIFT_S + 0.15) * SAMPLING_RATE_HZ
    assert np.abs(decoded[-SAMPLING_RATE_HZ:]).max() > 0.1


def test_a_last_page_that_is_damaged_is_not_left_out_in_silence() -> None:
    recording = bytearray(encode_native("OGG", "OPUS", VOICE))
    recording[-20] ^= 0x40

    with pytest.raises(AudioError) as caught:
        decode(bytes(recording))

    assert caught.value.reason is AudioReason.TRUNCATED


def test_a_recording_that_begins_late_on_its_own_clock_begins_at_once() -> None:
    recording = bytearray(encode_foreign("ogg", "libopus", VOICE, 48_000))
    for at in find_pages(recording)[2:]:
        move_page(recording, at, 3600 * 48_000)

    assert abs(len(decode(repair_ogg_checksums(bytes(recording)))) - len(VOICE)) <= 0.05 * SAMPLING_RATE_HZ


def make_edit_list(recording: bytes, *edits: tuple[int, int]) -> bytes:
    """Replace the edit list of an MP4 file whose index comes last; (ms, first media tick or -1) each."""
    scale = recording.index(b"mvhd") + 16
    ticks_per_s = int.from_bytes(recording[scale : scale + 4], "big")  # FFmpeg 8: 1000, FFmpeg 9: the rate
    body = struct.pack(">II", 0, len(edits))
    body += b"".join(struct.pack(">IiI", ms * ticks_per_s // 1000, begin, 1 << 16) for ms, begin in edits)
    box = struct.pack(">I4s", 8 + len(body), b"elst") + body
    at = recording.index(b"elst") - 4
    end = at + int.from_bytes(recording[at : at + 4], "big")
    changed = bytearray(recording[:at] + box + recording[end:])
    for name in (b"edts", b"trak", b"moov"):
        place = changed.index(name) - 4
        size = int.from_bytes(changed[place : place + 4], "big") + len(box) - (end - at)
        changed[place : place + 4] = size.to_bytes(4, "big")
    return bytes(changed)


def test_silence_that_an_edit_list_puts_first_is_there() -> None:
    recording = encode_foreign("mp4", "aac", VOICE, 44_100)

    late = decode(make_edit_list(recording, (2000, -1), (6000, 1024)))

    whole = decode(recording)
    assert abs(len(late) - len(whole) - 2 * SAMPLING_RATE_HZ) <= MAX_DRIFT_S * SAMPLING_RATE_HZ
    assert not late[: 2 * SAMPLING_RATE_HZ - 400].any()


def test_a_recording_that_an_edit_list_shortens_is_no_cut_one() -> None:
    decoded = decode(make_edit_list(encode_foreign("mp4", "aac", VOICE, 44_100), (3000, 1024)))

    assert 2.9 < len(decoded) / SAMPLING_RATE_HZ < 3.2


def test_silence_at_the_end_of_a_webm_recording_is_there() -> None:
    recording = bytearray(encode_foreign("webm", "libopus", VOICE, 48_000))
    at = recording.index(b"\x44\x89\x88") + 3
    recording[at : at + 8] = struct.pack(">d", 9000.0)

    assert len(decode(bytes(recording))) / SAMPLING_RATE_HZ == pytest.approx(9.0, abs=0.05)


def test_a_stamp_beyond_what_the_container_says_makes_no_silence() -> None:
    recording = bytearray(encode_with_gap("webm", "libopus", VOICE, 48_000, at_s=2.5, gap_s=3600.0))
    at = recording.index(b"\x44\x89\x88") + 3
    recording[at : at + 8] = struct.pack(">d", 6000.0)

    assert len(decode(bytes(recording))) / SAMPLING_RATE_HZ == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("name", ["webm", "ogg", "mp4"])
def test_silence_counts_against_the_limit_of_duration(name: str) -> None:
    muxer, codec, rate_hz = STAMPED[name]
    recording = encode_with_gap(muxer, codec, VOICE, rate_hz, at_s=2.5, gap_s=10_000.0)

    with pytest.raises(AudioError) as caught:
        decode(recording, Limits(max_duration_s=60.0))

    assert caught.value.reason is AudioReason.TOO_LONG


@pytest.mark.parametrize("other", ["same", "rate", "codec"])
@pytest.mark.parametrize("first", ["opus 16k", "opus", "vorbis", "flac"])
def test_the_links_of_a_chain_are_decoded_one_after_another(first: str, other: str) -> None:
    encode = {
        "opus 16k": lambda signal: encode_native("OGG", "OPUS", signal),
        "opus": lambda signal: encode_foreign("ogg", "libopus", signal, 48_000),
        "vorbis": lambda signal: encode_native("OGG", "VORBIS", signal),
        "vorbis 44.1k": lambda signal: encode_native("OGG", "VORBIS", np.repeat(signal, 2), 44_100),
        "flac": lambda signal: encode_foreign("ogg", "flac", signal, 16_000),
    }
    second = {"same": first, "rate": "vorbis 44.1k", "codec": "flac" if first == "opus" else "opus"}[other]
    links = [encode[first](VOICE), encode[second](make_sweep(2.0)), encode[first](VOICE)]

    decoded = decode(b"".join(links))

    np.testing.assert_array_equal(decoded, np.concatenate([decode(link) for link in links]))


def test_a_chain_whose_last_link_is_cut_is_truncated() -> None:
    link = encode_foreign("ogg", "libopus", VOICE, 48_000)

    with pytest.raises(AudioError) as caught:
        decode(link + link[: len(link) * 2 // 3])

    assert caught.value.reason is AudioReason.TRUNCATED


@pytest.mark.parametrize("n_bytes", [1, 4, 26])
def test_the_first_bytes_of_a_page_prove_a_cut(n_bytes: int) -> None:
    recording = encode_foreign("ogg", "libopus", VOICE, 48_000)
    middle = find_pages(recording)[-2]

    with pytest.raises(AudioError) as caught:
        decode(recording[: middle + n_bytes])

    assert caught.value.reason is AudioReason.TRUNCATED


def test_a_chain_of_thousands_of_links_is_refused() -> None:
    recording = encode_native("OGG", "OPUS", VOICE)
    pages = find_pages(recording)

    with pytest.raises(AudioError, match="5000 links"):
        decode(recording[: pages[2]] * 5001)
    with pytest.raises(AudioError, match="100 streams"):
        decode(recording[: pages[1]] * 101 + recording)


def test_pages_under_a_number_that_never_began_are_not_left_out_in_silence() -> None:
    recording = bytearray(encode_foreign("ogg", "libopus", VOICE, 48_000))
    pages = find_pages(recording)
    for at in pages[len(pages) // 2 :]:
        recording[at + 14] ^= 0xFF

    with pytest.raises(AudioError) as caught:
        decode(repair_ogg_checksums(bytes(recording)))

    assert caught.value.reason in (AudioReason.TRUNCATED, AudioReason.DECODE_ERROR)


def test_a_clock_follows_stamps_that_begin_anew() -> None:
    clock = Clock(None, None)
    gaps = []
    for stamp_s in (5.0, 6.0, 7.01, 0.0, 1.0, 4.0):
        gaps.append(clock.measure_gap_s(stamp_s))
        clock.at_s += 1.0 + gaps[-1]

    assert gaps == [0.0, 0.0, 0.0, 0.0, 0.0, pytest.approx(2.0)]
