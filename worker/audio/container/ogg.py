"""Ogg: its links, the codec of each, and how long each lasts by its page positions (RFC 3533, RFC 7845)."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from worker.audio.container.ogg_comments import CommentCounter
from worker.audio.container.parts import MAX_LINKS, MAX_UNITS, Container, Part, refuse_cut, refuse_many
from worker.audio.container.source import Peek, Source
from worker.audio.errors import AudioError, AudioReason

MAGIC = b"OggS\0"
HEAD_BYTES = 27
LOOK_BYTES = 400
"""A page's head, its table of lengths, and the beginning of its first packet."""
MAX_PAGE_BYTES = HEAD_BYTES + 255 + 255 * 255
MAX_STREAMS = 100
"""In one link, whether they begin or not: FFmpeg keeps each number that a page names."""
OPUS_RATE_HZ = 48_000
MAX_LOST_START_S = 60
"""Where a page is missing before the first that says where it ends, the recording began at 0."""
MAX_OPUS_SAMPLES = 5_760
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
NO_POSITION = (1 << 64) - 1
TOLERANCE_S = 0.25
"""Of Opus and FLAC packets or Vorbis blocks at both ends of a link, the longest last this long together."""
_OPUS_FRAME_MS = (10.0, 20.0, 40.0, 60.0) * 3 + (10.0, 20.0) * 2 + (2.5, 5.0, 10.0, 20.0) * 4


@dataclass(frozen=True)
class _Page:
    """One page: where it is, and what its head says."""

    start: int
    end: int
    flags: int
    position: int
    serial: int
    number: int
    n_packets: int
    packet: bytes
    laces: bytes = b""
    is_whole: bool = True


@dataclass
class _Link:
    """One logical stream, or several that begin together, up to the next that begins."""

    start: int
    end: int = 0
    codec: str = ""
    serial: int = -1
    rate_hz: int = 0
    input_rate_hz: int = 0
    pre_skip: int = 0
    packet_samples: int = 0
    start_position: int = 0
    number: int = -1
    first: int | None = None
    last: int = 0
    has_gaps: bool = False
    n_streams: int = 0
    seen: list[bytes] = field(default_factory=list)
    serials: set[int] = field(default_factory=set)
    headers: dict[int, CommentCounter] = field(default_factory=dict)


def describe_ogg(source: Source) -> list[Part]:
    """Follow the pages and divide them into links.

    Raises:
        AudioError: TRUNCATED if the last page is cut; UNSUPPORTED_CODEC if no stream of a link is one that is decoded;
            DECODE_ERROR if there are too many links.
    """
    links: list[_Link] = []
    is_beginning = False
    for page in _walk(source):
        if page.flags & 2:
            if not is_beginning:
                if len(links) >= MAX_LINKS:
                    raise refuse_many("links", MAX_LINKS)
                links.append(_Link(page.start))
            _begin(links[-1], page)
        elif links:
            _follow(links[-1], page)
        else:
            links.append(_Link(page.start))
        is_beginning = bool(page.flags & 2)
        links[-1].end = page.end
        _read_headers(links[-1], page, source)
    if not links:
        raise AudioError(AudioReason.DECODE_ERROR, "the Ogg file has no whole page")
    links[-1].end = source.n_bytes
    return [_make_part(link) for link in links if link.codec or _refuse_codec(link)]


def _walk(source: Source) -> Iterator[_Page]:
    """Follow the pages; what stands between them is passed over."""
    at, peek = 0, Peek(source)
    for _ in range(MAX_UNITS):
        page = _read_page(peek, at, source.n_bytes)
        if 0 < source.n_bytes - at < len(MAGIC) and MAGIC.startswith(peek(at, len(MAGIC))):
            raise refuse_cut("the last Ogg page", at + HEAD_BYTES, source.n_bytes)
        if page is None:
            at = _find_page(source, at)
            if at < 0:
                return
            continue
        if page.end > source.n_bytes:
            following = _find_page(source, at)
            if following < 0:
                raise refuse_cut("the last Ogg page", page.end, source.n_bytes)
            at = following
            continue
        yield page
        at = page.end


def _read_page(peek: Peek, at: int, n_bytes: int) -> _Page | None:
    head = peek(at, LOOK_BYTES)
    if head[:5] != MAGIC:
        return None
    if len(head) < HEAD_BYTES or len(head) < HEAD_BYTES + head[26]:
        return _Page(at, n_bytes + 1, 0, NO_POSITION, 0, 0, 0, b"")
    laces = head[HEAD_BYTES : HEAD_BYTES + head[26]]
    body = HEAD_BYTES + len(laces)
    return _Page(
        at,
        at + body + sum(laces),
        flags=head[5],
        position=int.from_bytes(head[6:14], "little"),
        serial=int.from_bytes(head[14:18], "little"),
        number=int.from_bytes(head[18:22], "little"),
        n_packets=len(laces) - laces.count(255),
        packet=head[body:],
        laces=laces,
        is_whole=_checksum(peek(at, body + sum(laces))) == int.from_bytes(head[22:26], "little"),
    )


def _checksum(page: bytes) -> int:
    """Ogg's checksum (RFC 3533, section 6): zlib's, but for the order of the bits and where it begins."""
    unsigned = page[:22] + bytes(4) + page[26:]
    mirrored = zlib.crc32(unsigned.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


def _find_page(source: Source, at: int) -> int:
    """Find the next place behind `at` where a page can begin, -1 if there is none."""
    start = at + 1
    while start < source.n_bytes:
        source.seek(start)
        content = source.read(MAX_PAGE_BYTES)
        place = content.find(MAGIC)
        if place >= 0:
            return start + place
        start += max(1, len(content) - 4)
        if len(content) <= 4:
            break
    return -1


def _read_headers(link: _Link, page: _Page, source: Source) -> None:
    """Count the streams of a link, and the comments before the sound of each."""
    if page.serial not in link.headers:
        link.headers[page.serial] = CommentCounter()
        if len(link.headers) > MAX_STREAMS:
            raise refuse_many("streams in one link", MAX_STREAMS)
    if link.first is None or page.serial != link.serial:
        source.seek(page.start + HEAD_BYTES + len(page.laces))
        link.headers[page.serial].take(page.laces, source.read(sum(page.laces)))


def _begin(link: _Link, page: _Page) -> None:
    """Note a stream that begins; the first one that can be decoded is the link's."""
    link.n_streams += 1
    link.serials.add(page.serial)
    if link.n_streams > MAX_STREAMS:
        raise AudioError(
            AudioReason.DECODE_ERROR, f"over {MAX_STREAMS} streams begin together in the Ogg file, which are allowed"
        )
    link.seen.append(page.packet[:8])
    if link.codec:
        return
    packet = page.packet
    if packet.startswith(b"OpusHead") and len(packet) >= 19:
        link.codec, link.rate_hz = "opus", OPUS_RATE_HZ
        link.pre_skip, link.input_rate_hz = (int.from_bytes(packet[a:b], "little") for a, b in ((10, 12), (12, 16)))
    elif packet.startswith(b"\x01vorbis"):
        link.codec, link.rate_hz = "vorbis", int.from_bytes(packet[12:16], "little")
        link.packet_samples = 1 << (packet[28] >> 4) >> 1 if len(packet) > 28 else 0
    elif packet.startswith(b"\x7fFLAC"):
        link.codec, link.rate_hz = "flac", int.from_bytes(packet[27:30], "big") >> 4
        link.packet_samples = int.from_bytes(packet[19:21], "big")
    elif packet.startswith(b"fLaC"):
        link.codec = "flac"  # before there was a mapping; FFmpeg knows it
    elif packet.startswith(b"Speex   "):
        link.codec, link.rate_hz = "speex", int.from_bytes(packet[36:40], "little")
        link.packet_samples = int.from_bytes(packet[56:60], "little") * int.from_bytes(packet[64:68], "little")
    link.serial, link.number = page.serial, page.number


def _follow(link: _Link, page: _Page) -> None:
    """Note where a page of the link's stream ends on the clock, and whether a page or a packet before it is missing."""
    if page.serial not in link.serials and page.position != NO_POSITION:
        link.has_gaps, link.last = True, max(link.last, page.position)  # of a stream whose beginning is lost
    if page.serial != link.serial:
        return
    if not page.is_whole:
        link.has_gaps = True
        if 0 < page.position - link.last <= page.n_packets * max(link.packet_samples, MAX_OPUS_SAMPLES):
            link.last = page.position
        return
    link.has_gaps |= page.number != link.number + 1
    link.number = page.number
    if page.position in (0, NO_POSITION) or page.position >> 63:
        return
    if link.first is None:
        link.first = page.position
        n_samples = page.n_packets * (_measure_opus(page.packet) if link.codec == "opus" else link.packet_samples)
        # A stream may begin at any position, and then the first page says where it ends and not where it begins.
        is_lost = link.has_gaps and page.position <= MAX_LOST_START_S * link.rate_hz
        link.start_position = 0 if is_lost else max(0, page.position - n_samples)
    elif link.codec == "opus" and not page.flags & 4 and not page.flags & 1:
        link.has_gaps |= page.position - link.last != page.n_packets * _measure_opus(page.packet)
    elif link.packet_samples:
        link.has_gaps |= page.position - link.last > page.n_packets * link.packet_samples
    link.last = page.position


def _measure_opus(packet: bytes) -> int:
    """Samples of an Opus packet at 48 kHz (RFC 6716, section 3.1)."""
    if len(packet) < 2:
        return 0
    n_frames = (1, 2, 2, packet[1] & 63)[packet[0] & 3]
    return int(_OPUS_FRAME_MS[packet[0] >> 3] * 48) * n_frames


def _refuse_codec(link: _Link) -> bool:
    raise AudioError(
        AudioReason.UNSUPPORTED_CODEC,
        f"the Ogg file holds {', '.join(map(repr, link.seen)) or 'no beginning of a stream'}, "
        "allowed are Opus, Vorbis, FLAC and Speex",
    )


def _make_part(link: _Link) -> Part:
    length_s = None
    if link.rate_hz and link.first is not None:
        length_s = max(0, link.last - link.start_position - link.pre_skip) / link.rate_hz
    codec = link.codec
    if codec == "opus" and link.input_rate_hz == 16_000:
        codec = "opus at 16 kHz"
    return Part(
        Container.OGG,
        ((link.start, link.end),),
        codec=codec,
        length_s=length_s,
        tolerance_s=TOLERANCE_S,
        clock_from_s=0.0 if link.first is not None and link.start_position == 0 else None,
        has_gaps=link.has_gaps or link.n_streams > 1,
    )
