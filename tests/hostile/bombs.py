"""Small files that ask a decoder for far more memory or time than they are worth."""

from __future__ import annotations

import struct
import zlib

from tests.unit.recordings import encode_foreign, encode_native
from tests.unit.sounds import make_voice

MIB = 1 << 20


def make_box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def make_full_box(name: bytes, body: bytes, flags: int = 0) -> bytes:
    return make_box(name, struct.pack(">I", flags) + body)


def make_mp4(
    *,
    n_samples: int = 1000,
    times: list[tuple[int, int]] | None = None,
    per_chunk: int | None = None,
    chunk_offsets: int = 1,
    edits: int = 0,
    data_url: bytes = b"",
    codec: bytes = b"mp4a",
) -> bytes:
    """Write an MP4 file by hand whose tables promise what you like; it holds 4 KB of nothing in particular.

    Args:
        n_samples: of one byte each, by the size table.
        times: (count, duration) rows of the time table; by default the samples last 1,024 ticks each.
        per_chunk: samples in a chunk; by default all.
        chunk_offsets: how many chunks there are.
        edits: entries of the edit list.
        data_url: says that the sound is not in this file, but there.
        codec: four letters.
    """
    sound = b"\x00" * 6 + struct.pack(">H8xHHHHI", 1, 1, 16, 0, 0, 16_000 << 16)
    rows = times or [(n_samples, 1024)]
    tables = [
        make_full_box(b"stsd", struct.pack(">I", 1) + make_box(codec, sound)),
        make_full_box(b"stts", struct.pack(">I", len(rows)) + b"".join(struct.pack(">II", *row) for row in rows)),
        make_full_box(b"stsc", struct.pack(">IIII", 1, 1, n_samples if per_chunk is None else per_chunk, 1)),
        make_full_box(b"stsz", struct.pack(">II", 1, n_samples)),
        make_full_box(b"stco", struct.pack(">I", chunk_offsets) + struct.pack(">I", 48) * chunk_offsets),
    ]
    reference = make_full_box(b"url ", data_url + b"\x00", 0) if data_url else make_full_box(b"url ", b"", 1)
    where = make_box(b"dinf", make_full_box(b"dref", struct.pack(">I", 1) + reference))
    media = make_box(b"minf", make_full_box(b"smhd", bytes(4)) + where + make_box(b"stbl", b"".join(tables)))
    clock = make_full_box(b"mdhd", struct.pack(">IIIIHH", 0, 0, 16_000, 16_000, 0, 0))
    handler = make_full_box(b"hdlr", bytes(4) + b"soun" + bytes(13))
    edit_list = make_full_box(b"elst", struct.pack(">I", edits) + struct.pack(">III", 1, 0, 1 << 16) * edits)
    track = make_full_box(b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, 16_000) + bytes(60), 7)
    header = make_full_box(b"mvhd", struct.pack(">IIII", 0, 0, 16_000, 16_000) + bytes(80))
    index = make_box(
        b"moov",
        header + make_box(b"trak", track + make_box(b"edts", edit_list) + make_box(b"mdia", clock + handler + media)),
    )
    return make_box(b"ftyp", b"M4A \x00\x00\x00\x00M4A mp42") + make_box(b"mdat", bytes(range(256)) * 16) + index


def make_fragmented_mp4(n_samples: int) -> bytes:
    """Write an MP4 whose one fragment promises samples that take no byte in its table."""
    run = make_full_box(b"trun", struct.pack(">I", n_samples))
    header = make_full_box(b"tfhd", struct.pack(">III", 1, 1024, 1), 0x18)
    fragment = make_box(b"moof", make_full_box(b"mfhd", struct.pack(">I", 1)) + make_box(b"traf", header + run))
    return make_mp4(n_samples=0, times=[]) + fragment + make_box(b"mdat", bytes(4096))


def make_id3_bomb(*, n_pictures: int, mib_each: int) -> bytes:
    """Write an MP3 whose tag holds packed pictures of zeros (ID3v2.4, section 4.1.2: flags 8 and 1)."""
    picture = b"\x00image/png\x00\x03x\x00" + bytes(mib_each * MIB)
    packed = zlib.compress(picture, 9)
    body = make_synchsafe(len(picture)) + packed
    frames = (b"APIC" + make_synchsafe(len(body)) + b"\x00\x09" + body) * n_pictures
    return b"ID3\x04\x00\x00" + make_synchsafe(len(frames)) + frames + _make_mp3()


def make_synchsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _make_mp3() -> bytes:
    return encode_native("MP3", "MPEG_LAYER_III", make_voice(1.0))


def make_alac_bomb() -> bytes:
    """Let an ALAC header of 8 channels ask for 16 million samples in each packet."""
    recording = bytearray(encode_foreign("ipod", "alac", make_voice(1.0), 44_100))
    cookie = recording.index(b"alac", recording.index(b"alac") + 4)
    recording[cookie + 8 : cookie + 12] = struct.pack(">I", 4096 * 4096)
    recording[cookie + 17] = 8
    return bytes(recording)


def make_wide_packet(mib: int) -> bytes:
    """Put all sound of a Matroska file into one packet of PCM."""
    whole = encode_foreign("matroska", "pcm_s16le", make_voice(0.2), 16_000, live="1")
    head = whole[: whole.index(b"\x1f\x43\xb6\x75")]
    block = b"\x81\x00\x00\x80" + b"\x01\x00" * (mib * MIB // 2)
    return head + b"\x1f\x43\xb6\x75\xff\xe7\x81\x00\xa3" + (1 << 28 | len(block)).to_bytes(4, "big") + block


def make_endless_webm(mib: int) -> bytes:
    """Append elements of two bytes that say nothing; FFmpeg walks them all, at 10 ms a MiB or more."""
    return encode_foreign("webm", "libopus", make_voice(1.0), 48_000, live="1") + b"\xec\x80" * (mib * MIB // 2)


def make_silent_aac(n_frames: int) -> bytes:
    """Repeat one silent AAC frame: 64 ms in some bytes."""
    whole = encode_foreign("adts", "aac", make_voice(0.5) * 0, 16_000)
    at = whole.index(b"\xff\xf1", 7)
    return whole[at : whole.index(b"\xff\xf1", at + 7)] * n_frames


def make_lying_opus() -> bytes:
    """Let the last page of an Ogg Opus file end after six thousand years."""
    from tests.hostile.mutate import repair_ogg_checksums  # noqa: PLC0415

    recording = bytearray(encode_native("OGG", "OPUS", make_voice(1.0)))
    last = recording.rindex(b"OggS")
    recording[last + 6 : last + 14] = (1 << 62).to_bytes(8, "little")
    return repair_ogg_checksums(bytes(recording))


def make_lying_flac() -> bytes:
    """Let a FLAC header promise 68 thousand million samples."""
    recording = bytearray(encode_native("FLAC", "PCM_16", make_voice(1.0)))
    recording[21] |= 0x0F
    recording[22:26] = b"\xff\xff\xff\xff"
    return bytes(recording)


def make_lying_wav() -> bytes:
    """Let a WAV header promise 4 GB of 8 channels and write only a second."""
    recording = bytearray(encode_native("WAV", "PCM_16", make_voice(1.0)))
    recording[22:24] = struct.pack("<H", 8)
    recording[40:44] = b"\xff\xff\xff\xff"
    return bytes(recording)
