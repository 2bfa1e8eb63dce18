"""Break a recording in one of the ways that uploads, disks and attackers do; the same seed breaks it the same way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

HEAD_BYTES = 256
OGG_PAGE_BYTES = 27
SPAN_SHARE = 0.2
"""The longest stretch that is changed at once, as a share of the file."""
REPAIR_SHARE = 0.5
Rng = np.random.Generator


def make_mutant(original: bytes, other: bytes, *, seed: tuple[int, ...]) -> tuple[str, bytes]:
    """Break a recording once, now and then up to three times.

    Args:
        original: the recording.
        other: a recording of another codec, to splice with.
        seed: decides everything.

    Returns:
        What was done, and the mutant.
    """
    rng = np.random.default_rng(seed)
    content, done = original, []
    for _ in range(1 + (rng.random() < 0.25) + (rng.random() < 0.1)):
        name = str(rng.choice(list(MUTATIONS)))
        content = MUTATIONS[name](rng, content, other)
        done.append(name)
    if content[:4] == b"OggS" and rng.random() < REPAIR_SHARE:
        content = repair_ogg_checksums(content)
        done.append("checksums repaired")
    return ", ".join(done), content


def repair_ogg_checksums(content: bytes) -> bytes:
    """Give each Ogg page the checksum of what it holds by now, else no decoder would see what is broken in it."""
    repaired = bytearray(content)
    page = repaired.find(b"OggS")
    while 0 <= page <= len(repaired) - OGG_PAGE_BYTES:
        laces = repaired[page + OGG_PAGE_BYTES : page + OGG_PAGE_BYTES + repaired[page + 26]]
        end = page + OGG_PAGE_BYTES + len(laces) + sum(laces)
        repaired[page + 22 : page + 26] = bytes(4)
        repaired[page + 22 : page + 26] = checksum_ogg(repaired[page:end]).to_bytes(4, "little")
        page = repaired.find(b"OggS", end)
    return bytes(repaired)


def checksum_ogg(page: bytes | bytearray) -> int:
    """Ogg's CRC (RFC 3533, section 6)."""
    remainder = 0
    for byte in page:
        remainder = (remainder << 8 & 0xFFFFFFFF) ^ _OGG_TABLE[remainder >> 24 ^ byte]
    return remainder


def _make_ogg_table() -> list[int]:
    table = []
    for byte in range(256):
        remainder = byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C11DB7 if remainder & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(remainder)
    return table


_OGG_TABLE = _make_ogg_table()


def _span(rng: Rng, content: bytes) -> tuple[int, int]:
    """A stretch: half of the time it begins in the head, where the lengths are."""
    start = int(rng.integers(min(HEAD_BYTES, len(content)) if rng.random() < 0.5 else len(content))) if content else 0
    longest = max(1, int(SPAN_SHARE * len(content)))
    return start, start + 1 + int(longest ** rng.random())


def _flip_bits(rng: Rng, content: bytes, _other: bytes) -> bytes:
    mutant = bytearray(content)
    for at in rng.integers(0, max(len(mutant), 1), int(rng.integers(1, 65))) if mutant else ():
        mutant[at] ^= 1 << int(rng.integers(8))
    return bytes(mutant)


def _flip_bits_of_the_head(rng: Rng, content: bytes, other: bytes) -> bytes:
    return _flip_bits(rng, content[:HEAD_BYTES], other) + content[HEAD_BYTES:]


def _write_extreme(rng: Rng, content: bytes, _other: bytes) -> bytes:
    """Put the smallest or largest number of some width where a length, a count or a rate may stand."""
    start, _ = _span(rng, content)
    width = (1, 2, 3, 4, 8)[int(rng.integers(5))]
    largest = (1 << 8 * width) - 1
    value = (0, 1, largest >> 1, (largest >> 1) + 1, largest - 1, largest)[int(rng.integers(6))]
    number = value.to_bytes(width, "big" if rng.random() < 0.5 else "little")
    return content[:start] + number + content[start + width :]


def _zero(rng: Rng, content: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, content)
    return content[:start] + bytes(len(content[start:end])) + content[end:]


def _scramble(rng: Rng, content: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, content)
    return content[:start] + rng.bytes(len(content[start:end])) + content[end:]


def _remove(rng: Rng, content: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, content)
    return content[:start] + content[end:]


def _duplicate(rng: Rng, content: bytes, _other: bytes) -> bytes:
    start, end = _span(rng, content)
    return content[:end] + content[start:end] * int(rng.integers(1, 9)) + content[end:]


def _truncate(rng: Rng, content: bytes, _other: bytes) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _splice(rng: Rng, content: bytes, other: bytes) -> bytes:
    """The head of this one and the tail of another, or a piece of the other in the middle."""
    start, end = _span(rng, content)
    if rng.random() < 0.5:
        return content[:start] + other[int(rng.integers(len(other))) :]
    return content[:start] + other[: int(rng.integers(len(other)))] + content[end:]


def _append(rng: Rng, content: bytes, other: bytes) -> bytes:
    return content + (other if rng.random() < 0.5 else rng.bytes(int(rng.integers(1, 2000))))


MUTATIONS: dict[str, Callable[[Rng, bytes, bytes], bytes]] = {
    "bits flipped": _flip_bits,
    "bits of the head flipped": _flip_bits_of_the_head,
    "an extreme number": _write_extreme,
    "another extreme number": _write_extreme,
    "zeroed": _zero,
    "scrambled": _scramble,
    "removed": _remove,
    "duplicated": _duplicate,
    "truncated": _truncate,
    "spliced": _splice,
    "appended": _append,
}
