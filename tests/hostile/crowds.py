"""Recordings that are sound but for one kind of part of which they have very many: tracks, streams, tags, tables."""

from __future__ import annotations

import struct
from functools import cache

from tests.hostile.bombs import make_box, make_full_box, make_synchsafe
from tests.hostile.mutate import checksum_ogg
from tests.unit.recordings import encode_foreign, encode_native
from tests.unit.sounds import make_voice

VOICE_S = 2.0


@cache
def make_m4a() -> bytes:
    """A good M4A file whose index is at its end."""
    return encode_foreign("ipod", "aac", make_voice(VOICE_S), 44_100)


@cache
def make_webm(**options: str) -> bytes:
    """A good WebM file without sizes."""
    return encode_foreign("webm", "libopus", make_voice(VOICE_S), 48_000, live="1", **options)


@cache
def make_opus() -> bytes:
    """A good Ogg Opus file."""
    return encode_native("OGG", "OPUS", make_voice(VOICE_S))


@cache
def make_flac() -> bytes:
    """A good FLAC file."""
    return encode_native("FLAC", "PCM_16", make_voice(VOICE_S))


@cache
def make_wav() -> bytes:
    """A good WAV file."""
    return encode_native("WAV", "PCM_16", make_voice(VOICE_S))


def make_ogg_page(serial: int, body: bytes, *, flags: int = 0, position: int = 0, number: int = 0) -> bytes:
    """One page of Ogg (RFC 3533, section 6); its body ends with a packet."""
    laces = bytes([255] * (len(body) // 255) + [len(body) % 255])
    head = b"OggS\0" + bytes([flags]) + struct.pack("<QIII", position, serial, number, 0) + bytes([len(laces)])
    page = head + laces + body
    return page[:22] + checksum_ogg(page).to_bytes(4, "little") + page[26:]


def add_ogg_streams(n_streams: int, *, flags: int = 0, first: bool = False) -> bytes:
    """Put pages of so many streams, one each, behind the headers of a stream or behind its end."""
    whole = make_opus()
    pages = b"".join(make_ogg_page(1000 + n, b"OpusHead", flags=flags) for n in range(n_streams))
    at = whole.index(b"OggS\0", whole.index(b"OpusTags")) if first else len(whole)
    return whole[:at] + pages + whole[at:]


def hide_ogg_streams(n_streams: int) -> bytes:
    """Put the pages of so many streams into pages that are damaged, where a decoder looks for the next one."""
    pages = [make_ogg_page(1000 + n, b"OpusHead") for n in range(n_streams)]
    hidden = [b"".join(pages[at : at + 1500]) for at in range(0, n_streams, 1500)]
    wrapped = []
    for n, body in enumerate(hidden):
        page = make_ogg_page(7, body, number=n)
        wrapped.append(page[:22] + b"\0\0\0\0" + page[26:])
    return make_opus() + b"".join(wrapped)


def make_ogg_links(n_links: int) -> bytes:
    """Chain so many recordings, as a recorder does that is paused."""
    link = bytearray(encode_native("OGG", "OPUS", make_voice(VOICE_S)[:16_000]))
    links = []
    for serial in range(1, n_links + 1):
        at = link.find(b"OggS\0")
        while at >= 0:
            n_laces = link[at + 26]
            end = at + 27 + n_laces + sum(link[at + 27 : at + 27 + n_laces])
            link[at + 14 : at + 18] = serial.to_bytes(4, "little")
            link[at + 22 : at + 26] = bytes(4)
            link[at + 22 : at + 26] = checksum_ogg(link[at:end]).to_bytes(4, "little")
            at = link.find(b"OggS\0", end)
        links.append(bytes(link))
    return b"".join(links)


def make_comments(n_comments: int, comment: bytes = b"k%d=v") -> bytes:
    """Write Vorbis comments (RFC 7845, section 5.2) without what stands before them."""
    texts = [comment % n if b"%d" in comment else comment for n in range(n_comments)]
    return (
        struct.pack("<I", 1)
        + b"x"
        + struct.pack("<I", n_comments)
        + b"".join(struct.pack("<I", len(text)) + text for text in texts)
    )


def add_ogg_comments(n_comments: int, comment: bytes = b"k%d=v") -> bytes:
    """Put so many comments into an Ogg Opus file."""
    whole = make_opus()
    first = whole.index(b"OggS\0", 4)
    second = whole.index(b"OggS\0", first + 4)
    serial = int.from_bytes(whole[14:18], "little")
    body = b"OpusTags" + make_comments(n_comments, comment)
    pages = []
    for number, at in enumerate(range(0, len(body), 255 * 255), 1):
        piece = body[at : at + 255 * 255]
        is_last = at + len(piece) == len(body)
        laces = bytes([255] * (len(piece) // 255)) + (bytes([len(piece) % 255]) if is_last else b"")
        head = b"OggS\0" + bytes([1 if number > 1 else 0])
        head += struct.pack("<QIII", 0 if is_last else 2**64 - 1, serial, number, 0) + bytes([len(laces)])
        page = head + laces + piece
        pages.append(page[:22] + checksum_ogg(page).to_bytes(4, "little") + page[26:])
    return whole[:first] + b"".join(pages) + whole[second:]


def add_empty_ogg_pages(n_pages: int) -> bytes:
    """Append pages of the same stream that hold nothing."""
    whole = make_opus()
    serial = int.from_bytes(whole[14:18], "little")
    page = make_ogg_page(serial, b"", number=9)
    return whole + page * n_pages


def add_boxes(boxes: bytes, *, within: bytes = b"moov") -> bytes:
    """Append boxes to the index of an M4A file, or to its track."""
    whole = bytearray(make_m4a())
    moov = whole.rindex(b"moov") - 4
    name_at = whole.index(within, moov)
    end = name_at - 4 + int.from_bytes(whole[name_at - 4 : name_at], "big")
    whole[end:end] = boxes
    for at in {moov, name_at - 4}:
        whole[at : at + 4] = (int.from_bytes(whole[at : at + 4], "big") + len(boxes)).to_bytes(4, "big")
    return bytes(whole)


def read_track() -> bytes:
    """The track of a good M4A file."""
    whole = make_m4a()
    at = whole.rindex(b"trak") - 4
    return whole[at : at + int.from_bytes(whole[at : at + 4], "big")]


def make_covers(n_covers: int) -> bytes:
    """Pictures in the metadata of an M4A file."""
    cover = make_box(b"covr", make_box(b"data", struct.pack(">II", 13, 0) + b"\xff\xd8\xff" + bytes(16)))
    handler = make_full_box(b"hdlr", bytes(4) + b"mdirappl" + bytes(9))
    return make_box(b"udta", make_full_box(b"meta", handler + make_box(b"ilst", cover * n_covers)))


def make_names(n_names: int) -> bytes:
    """Tags of names of their own in the metadata of an M4A file."""
    handler = make_full_box(b"hdlr", bytes(4) + b"mdta" + bytes(13))
    keys = make_full_box(
        b"keys", struct.pack(">I", n_names) + b"".join(make_box(b"mdta", b"key%d" % n) for n in range(n_names))
    )
    value = make_box(b"data", struct.pack(">II", 1, 0) + b"v")
    values = b"".join(struct.pack(">II", 8 + len(value), n + 1) + value for n in range(n_names))
    return make_box(b"meta", handler + keys + make_box(b"ilst", values))


def add_fragments(n_fragments: int, *, runs: int = 1, indices: int = 0) -> bytes:
    """Append fragments without a sample."""
    header = make_full_box(b"tfhd", struct.pack(">I", 1))
    run = make_full_box(b"trun", struct.pack(">I", 0))
    fragment = make_box(b"moof", make_full_box(b"mfhd", struct.pack(">I", 1)) + make_box(b"traf", header + run * runs))
    extends = make_box(b"mvex", make_full_box(b"trex", struct.pack(">IIIII", 1, 1, 1024, 0, 0)))
    entry = struct.pack(">III", 100, 1024, 0x90000000)
    index = make_full_box(b"sidx", struct.pack(">IIIIHH", 1, 44_100, 0, 0, 0, 1000) + entry * 1000)
    return add_boxes(extends) + index * indices + fragment * n_fragments


def make_element(name: int, body: bytes) -> bytes:
    """One element of EBML, its size in 8 bytes."""
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (1 << 56 | len(body)).to_bytes(8, "big") + body


def add_elements(elements: bytes, *, at_end: bool = False) -> bytes:
    """Put elements before the first cluster of a WebM file, or behind the last."""
    whole = make_webm()
    if at_end:
        return whole + elements
    at = whole.index(b"\x1f\x43\xb6\x75")
    return whole[:at] + elements + whole[at:]


def add_webm_tracks(n_tracks: int) -> bytes:
    """Let the one Tracks element hold many more."""
    whole = make_webm()
    at = whole.rindex(b"\x16\x54\xae\x6b", 0, whole.index(b"\x1f\x43\xb6\x75"))
    n_size = 9 - whole[at + 4].bit_length()
    size = int.from_bytes(whole[at + 4 : at + 4 + n_size], "big") & ((1 << 7 * n_size) - 1)
    body = at + 4 + n_size
    track = make_element(0xAE, b"\xd7\x81\x05\x73\xc5\x81\x05\x83\x81\x02\x86\x86A_OPUS")
    return whole[:at] + make_element(0x1654AE6B, whole[body : body + size] + track * n_tracks) + whole[body + size :]


def make_simple_tags(n_tags: int) -> bytes:
    """Tags of Matroska, each with a name and a text."""
    body = b"".join(
        make_element(0x67C8, make_element(0x45A3, b"KEY%d" % n) + make_element(0x4487, b"v")) for n in range(n_tags)
    )
    return make_element(0x1254C367, make_element(0x7373, body))


def make_attachments(n_files: int) -> bytes:
    """Attached files of Matroska."""
    one = make_element(
        0x61A7,
        make_element(0x466E, b"a.jpg")
        + make_element(0x4660, b"image/jpeg")
        + make_element(0x465C, b"\xff\xd8\xff")
        + make_element(0x46AE, b"\x01"),
    )
    return make_element(0x1941A469, one * n_files)


def make_matroska_chapters(n_chapters: int) -> bytes:
    """Chapters of Matroska."""
    atoms = b"".join(
        make_element(
            0xB6,
            make_element(0x73C4, (n + 1).to_bytes(4, "big")) + make_element(0x91, b"\1") + make_element(0x92, b"\2"),
        )
        for n in range(n_chapters)
    )
    return make_element(0x1043A770, make_element(0x45B9, atoms))


def add_flac_blocks(*blocks: tuple[int, bytes], times: int = 1) -> bytes:
    """Put metadata blocks behind STREAMINFO (RFC 9639, section 8)."""
    whole = bytearray(make_flac())
    whole[4] &= 0x7F
    content = b"".join(bytes([kind]) + len(body).to_bytes(3, "big") + body for kind, body in blocks)
    at = 42
    if make_flac()[4] & 0x80:
        raise ValueError("the FLAC file has one metadata block alone")
    return bytes(whole[:at]) + content * times + bytes(whole[at:])


def make_picture(n_bytes: int = 16) -> bytes:
    """A picture of FLAC (RFC 9639, section 8.8)."""
    return (
        struct.pack(">II", 3, 10) + b"image/jpeg" + struct.pack(">IIIIII", 0, 1, 1, 24, 0, n_bytes) + b"\xff" * n_bytes
    )


def make_cue_sheet() -> bytes:
    """A cue sheet of FLAC with 100 tracks (RFC 9639, section 8.7)."""
    tracks = b"".join(
        struct.pack(">QB", n * 100, n if n < 100 else 170)
        + bytes(12)
        + b"\0"
        + bytes(13)
        + (b"\1" if n < 100 else b"\0")
        + (bytes(12) if n < 100 else b"")
        for n in range(1, 101)
    )
    return bytes(128) + struct.pack(">Q", 0) + b"\x80" + bytes(258) + b"\x64" + tracks


def make_tagged_mp3(n_tags: int) -> bytes:
    """Put ID3 tags behind which no frame stands into an MP3 file."""
    whole = encode_native("MP3", "MPEG_LAYER_III", make_voice(VOICE_S))
    return whole + (b"ID3\4\0\0" + make_synchsafe(0)) * n_tags


def add_wav_chunks(n_chunks: int, *, before: bool = False, name: bytes = b"junk") -> bytes:
    """Put chunks without content into a WAV file."""
    whole = make_wav()
    chunks = (name + bytes(4)) * n_chunks
    at = whole.index(b"data") if before else len(whole)
    return whole[:at] + chunks + whole[at:]


def make_caf_with(name: bytes, body: bytes) -> bytes:
    """Put a chunk before the sound of a CAF file."""
    whole = encode_native("CAF", "ALAC_16", make_voice(VOICE_S))
    at = whole.index(b"data")
    return whole[:at] + name + struct.pack(">q", len(body)) + body + whole[at:]


def make_protections(n_boxes: int) -> bytes:
    """Boxes of a copy protection (ISO/IEC 23001-7, section 8.1)."""
    return make_full_box(b"pssh", bytes(16) + struct.pack(">I", 4) + b"abcd") * n_boxes


def make_scattered_tags(n_tags: int) -> bytes:
    """Tags of Matroska, each behind a cluster of its own."""
    return (b"\x1f\x43\xb6\x75\x83\xe7\x81\x00" + make_element(0x1254C367, b"")) * n_tags


def make_caf_comments(n_comments: int) -> bytes:
    """The strings of a CAF file (Apple, CAF Specification 1.0, Information chunk)."""
    return struct.pack(">I", n_comments) + b"".join(b"k%d\0v\0" % n for n in range(n_comments))


def make_short_wav() -> bytes:
    """A WAV file of a tenth of a second."""
    return encode_native("WAV", "PCM_16", make_voice(0.1))
