"""Files that ask for gigabytes or hours get a reason instead, in a second and with little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.hostile import bombs
from tests.hostile.arena import Arena, Verdict
from tests.unit.recordings import encode_native
from tests.unit.sounds import make_voice

MAX_GROWTH_MIB = 160
"""More than a second's recording needs. Decoders and what numpy keeps vary by some 10 MiB; each bomb took over 400."""
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena(limit_s=LIMIT_S) as running:
        yield running


@pytest.fixture(scope="module")
def harmless(arena: Arena) -> Verdict:
    """What a good recording takes."""
    verdict = arena.judge(encode_native("WAV", "PCM_16", make_voice(1.0)))
    assert verdict.ended == "scored", verdict
    return verdict


BOMBS: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "80 million AAC packets in a header": (lambda: bombs.make_mp4(n_samples=80_000_000), {"TRUNCATED"}),
    "80 million ALAC packets in a header": (
        lambda: bombs.make_mp4(n_samples=80_000_000, codec=b"alac"),
        {"TRUNCATED"},
    ),
    "80 million time stamps": (lambda: bombs.make_mp4(times=[(80_000_000, 1024)]), {"TRUNCATED"}),
    "80 million samples in a fragment": (lambda: bombs.make_fragmented_mp4(80_000_000), {"TRUNCATED"}),
    "4 thousand million samples in each of 100 chunks": (
        lambda: bombs.make_mp4(times=[(1000, 1)], per_chunk=0xFFFFFFFF, chunk_offsets=100, codec=b"sowt"),
        {"TOO_LONG"},
    ),
    "30,000 edits of 4,000 packets": (lambda: bombs.make_mp4(n_samples=4000, edits=30_000), {"DECODE_ERROR"}),
    "4 packed pictures of 200 MB": (lambda: bombs.make_id3_bomb(n_pictures=4, mib_each=200), {"scored"}),
    "packets of 16 million samples": (bombs.make_alac_bomb, {"DECODE_ERROR"}),
    "one packet of 20 MB": (lambda: bombs.make_wide_packet(20), {"DECODE_ERROR"}),
    "200,000 AAC frames without sound": (
        lambda: b"\xff\xf1\x60\x40\x00\xff\xfc" * 200_000,
        {"DECODE_ERROR", "TOO_LONG"},
    ),
    "a million AAC frames without sound": (
        lambda: b"\xff\xf1\x60\x40\x00\xff\xfc" * 1_000_000,
        {"DECODE_ERROR", "TOO_LONG"},
    ),
    "an Opus file of six thousand years": (bombs.make_lying_opus, {"scored", "TRUNCATED", "DECODE_ERROR"}),
    "a FLAC file of 68 thousand million samples": (bombs.make_lying_flac, {"TRUNCATED"}),
    "a WAV file of 4 GB": (bombs.make_lying_wav, {"scored", "no_speech"}),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if name.startswith("a million") else []) for name in BOMBS],
)
def test_a_bomb_ends_with_its_reason_and_little_memory(name: str, arena: Arena, harmless: Verdict) -> None:
    make, allowed = BOMBS[name]

    verdict = arena.judge(make())

    assert verdict.ended in allowed, verdict
    assert verdict.peak_mib - harmless.peak_mib < MAX_GROWTH_MIB
