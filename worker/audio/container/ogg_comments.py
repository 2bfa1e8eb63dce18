"""How many comments the headers of an Ogg stream hold, before FFmpeg compares each with all before it."""

# ruff: noqa: PLR2004 - offsets and masks of byte formats say more in place than as names

from __future__ import annotations

from dataclasses import dataclass, field

from worker.audio.container.parts import MAX_COMMENTS, refuse_many

MAX_VENDOR_BYTES = 60_000
KEPT_BYTES = 8 + 8 + MAX_VENDOR_BYTES
"""Of a packet: what stands before the number of comments."""
FLAC_COMMENT_BLOCK = 4


@dataclass
class CommentCounter:
    """Takes the pages of one stream until its sound begins.

    Attributes:
        n_comments: in all packets so far.
    """

    n_comments: int = 0
    _n_packets: int = 0
    _first: bytes = b""
    _packet: bytearray = field(default_factory=bytearray)

    def take(self, laces: bytes, body: bytes) -> None:
        """Take the next page: the lengths of its pieces, and these one behind the other.

        Raises:
            AudioError: DECODE_ERROR for more comments than `MAX_COMMENTS`.
        """
        at = 0
        for lace in laces:
            if len(self._packet) < KEPT_BYTES:
                self._packet += body[at : at + lace]
            at += lace
            if lace < 255:
                self._first = self._first or bytes(self._packet[:8])
                self.n_comments += count_comments(bytes(self._packet), first=self._first, number=self._n_packets)
                self._n_packets += 1
                self._packet.clear()
                if self.n_comments > MAX_COMMENTS:
                    raise refuse_many("comments", MAX_COMMENTS)


def count_comments(packet: bytes, *, first: bytes, number: int) -> int:
    """Count the comments that a packet says to hold (RFC 7845, section 5.2; Vorbis I, section 5), 0 if it holds none.

    Args:
        packet: its beginning at least.
        first: how the first packet of its stream begins.
        number: how many packets of its stream stand before it.
    """
    start = _find_comments(packet, first, number)
    if start is None:
        return 0
    vendor = int.from_bytes(packet[start : start + 4], "little")
    if vendor > MAX_VENDOR_BYTES:
        raise refuse_many("bytes in the name of its encoder", MAX_VENDOR_BYTES)
    return int.from_bytes(packet[start + 4 + vendor : start + 8 + vendor], "little")


def _find_comments(packet: bytes, first: bytes, number: int) -> int | None:
    """Find where the length of the encoder's name stands, None in what holds no comments."""
    if packet.startswith(b"OpusTags"):
        return 8
    if (packet[1:7] in (b"vorbis", b"theora") and packet[0] in (0x03, 0x81)) or packet.startswith(b"OVP80\x02"):
        return 7
    if first == b"Speex   " and number == 1:
        return 0
    if first.startswith((b"\x7fFLAC", b"fLaC")) and packet[:1] and packet[0] & 0x7F == FLAC_COMMENT_BLOCK:
        return 4
    return None
