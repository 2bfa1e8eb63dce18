"""Recordings with very many parts of one kind end at once with a reason of their own, or are scored; many links are fine."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest

from tests.hostile import crowds
from tests.hostile.arena import Arena, Verdict
from tests.hostile.bombs import make_box, make_full_box

MAX_GROWTH_MIB = 160
"""More than a good recording. The limit of a worker is 512."""
MAX_PROCESSOR_S = 15.0
"""Without the limits several of these took over 130 s."""
SCORED, REFUSED = {"scored"}, {"DECODE_ERROR"}
PICTURE = b"METADATA_BLOCK_PICTURE=AAAAAwAAAAppbWFnZS9qcGVnAAAAAAAAAAEAAAABAAAAGAAAAAAAAAAE/9j/4A=="
KEYS = make_full_box(b"hdlr", bytes(4) + b"mdta" + bytes(13)) + make_full_box(b"keys", struct.pack(">I", 0x0FFFFFFF))
REFERENCES = make_full_box(b"dref", struct.pack(">I", 3_000_000) + make_full_box(b"url ", b"", 1) * 3_000_000)

CROWDS: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "Ogg: 60,000 streams behind the headers": (lambda: crowds.add_ogg_streams(60_000, first=True), REFUSED),
    "Ogg: 60,000 streams behind the sound": (lambda: crowds.add_ogg_streams(60_000), REFUSED),
    "Ogg: 60,000 streams that begin": (lambda: crowds.add_ogg_streams(60_000, flags=2), REFUSED),
    "Ogg: 60,000 streams in damaged pages": (lambda: crowds.hide_ogg_streams(60_000), REFUSED),
    "Ogg: 200,000 comments": (lambda: crowds.add_ogg_comments(200_000), REFUSED),
    "Ogg: 2,000 pictures": (lambda: crowds.add_ogg_comments(2_000, PICTURE), REFUSED),
    "Ogg: 100,000 empty pages": (lambda: crowds.add_empty_ogg_pages(100_000), {"scored", "DECODE_ERROR"}),
    "Ogg: 500,000 empty pages": (lambda: crowds.add_empty_ogg_pages(500_000), {"scored", "DECODE_ERROR"}),
    "MP4: 200,000 tracks without content": (lambda: crowds.add_boxes(make_box(b"trak", b"") * 200_000), REFUSED),
    "MP4: 10,000 tracks": (lambda: crowds.add_boxes(crowds.read_track() * 10_000), REFUSED),
    "MP4: 5,000 pictures": (lambda: crowds.add_boxes(crowds.make_covers(5_000)), REFUSED),
    "MP4: 200,000 tags": (lambda: crowds.add_boxes(crowds.make_names(200_000)), REFUSED),
    "MP4: 268 million names of tags, by their number": (lambda: crowds.add_boxes(make_box(b"meta", KEYS)), REFUSED),
    "MP4: 3 million references": (lambda: crowds.add_boxes(REFERENCES, within=b"minf"), REFUSED),
    "MP4: 100,000 boxes of a copy protection": (lambda: crowds.add_boxes(crowds.make_protections(100_000)), REFUSED),
    "MP4: 20,000 fragments": (lambda: crowds.add_fragments(20_000), SCORED),
    "MP4: 100,000 fragments": (lambda: crowds.add_fragments(100_000), SCORED),
    "MP4: 2 million segments in 2,000 indices": (lambda: crowds.add_fragments(10, indices=2_000), REFUSED),
    "Matroska: 200,000 tracks": (lambda: crowds.add_webm_tracks(200_000), REFUSED),
    "Matroska: 30,000 tracks": (lambda: crowds.add_webm_tracks(30_000), REFUSED),
    "Matroska: 20 million cue points": (
        lambda: crowds.add_elements(crowds.make_element(0x1C53BB6B, b"\xbb\x80" * 20_000_000)),
        SCORED,
    ),
    "Matroska: 10 million tags": (
        lambda: crowds.add_elements(crowds.make_element(0x1254C367, b"\x73\x73\x80" * 10_000_000)),
        SCORED,
    ),
    "Matroska: 200,000 tags with a text": (lambda: crowds.add_elements(crowds.make_simple_tags(200_000)), SCORED),
    "Matroska: 10 million attached files": (
        lambda: crowds.add_elements(crowds.make_element(0x1941A469, b"\x61\xa7\x80" * 10_000_000)),
        SCORED,
    ),
    "Matroska: 50,000 chapters": (lambda: crowds.add_elements(crowds.make_matroska_chapters(50_000)), SCORED),
    "Matroska: tags between all clusters": (lambda: crowds.make_webm() + crowds.make_scattered_tags(50_000), REFUSED),
    "Matroska: 20 million additions to a block": (
        lambda: crowds.make_webm() + crowds.make_element(0xA0, crowds.make_element(0x75A1, b"\xa6\x80" * 20_000_000)),
        REFUSED,
    ),
    "FLAC: 2,000 pictures": (lambda: crowds.add_flac_blocks((6, crowds.make_picture()), times=2_000), SCORED),
    "FLAC: 200,000 comments": (lambda: crowds.add_flac_blocks((4, crowds.make_comments(200_000))), SCORED),
    "FLAC: 1,000 cue sheets": (lambda: crowds.add_flac_blocks((5, crowds.make_cue_sheet()), times=1_000), SCORED),
    "FLAC: a million blocks": (lambda: crowds.add_flac_blocks((2, b"abcd"), times=1_000_000), REFUSED),
    "MP3: 3 million tags": (lambda: crowds.make_tagged_mp3(3_000_000), REFUSED),
    "WAV: a million chunks behind the sound": (lambda: crowds.add_wav_chunks(1_000_000), SCORED),
    "CAF: 20 million packets": (
        lambda: crowds.make_caf_with(
            b"pakt", struct.pack(">qqii", 20_000_000, 20_000_000 * 4096, 0, 0) + b"\1" * 20_000_000
        ),
        REFUSED,
    ),
    "CAF: 300,000 comments": (lambda: crowds.make_caf_with(b"info", crowds.make_caf_comments(300_000)), REFUSED),
    "AMR: 5,000 recordings": (lambda: b"#!AMR\n\x7c" * 5_000, REFUSED),
    "WAV: 5,000 recordings": (lambda: crowds.make_short_wav() * 5_000, REFUSED),
}
# Of `make test`: a crowd of each kind that a limit of its own ends; the rest is `long`.
IN_SHORT = (
    "Ogg: 60,000 streams behind the headers",
    "Ogg: 60,000 streams in damaged pages",
    "Ogg: 200,000 comments",
    "Ogg: 100,000 empty pages",
    "MP4: 10,000 tracks",
    "MP4: 200,000 tags",
    "MP4: 268 million names of tags, by their number",
    "MP4: 100,000 boxes of a copy protection",
    "MP4: 20,000 fragments",
    "MP4: 2 million segments in 2,000 indices",
    "Matroska: 200,000 tracks",
    "Matroska: 20 million cue points",
    "Matroska: tags between all clusters",
    "FLAC: 200,000 comments",
    "FLAC: a million blocks",
    "MP3: 3 million tags",
    "WAV: a million chunks behind the sound",
    "CAF: 300,000 comments",
    "AMR: 5,000 recordings",
)
IN_MAKE_TEST = (
    *(f"test_a_crowd_ends_once_with_little_time_and_memory[{name}]" for name in IN_SHORT),
    "test_a_recorder_that_was_paused_many_times_is_scored[500]",
    "test_tags_that_people_have_change_nothing",
)


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena(limit_s=120.0) as running:
        yield running


@pytest.fixture(scope="module")
def harmless(arena: Arena) -> Verdict:
    """What a good recording takes."""
    verdict = arena.judge(crowds.make_opus())
    assert verdict.ended == "scored", verdict
    return verdict


@pytest.mark.parametrize("name", CROWDS)
def test_a_crowd_ends_once_with_little_time_and_memory(name: str, arena: Arena, harmless: Verdict) -> None:
    make, allowed = CROWDS[name]

    verdict = arena.judge(make())

    assert verdict.ended in allowed, verdict
    assert 0.0 < verdict.processor_s < MAX_PROCESSOR_S
    assert verdict.peak_mib - harmless.peak_mib < MAX_GROWTH_MIB


@pytest.mark.parametrize("n_links", [500, 3_000])
def test_a_recorder_that_was_paused_many_times_is_scored(arena: Arena, n_links: int) -> None:
    verdict = arena.judge(crowds.make_ogg_links(n_links))

    assert verdict.ended == "scored", verdict


@pytest.mark.parametrize("n_tags", [1, 300])
def test_tags_that_people_have_change_nothing(arena: Arena, n_tags: int) -> None:
    tagged = {
        "Ogg": crowds.add_ogg_comments(n_tags),
        "FLAC": crowds.add_flac_blocks((4, crowds.make_comments(n_tags)), (6, crowds.make_picture(100_000))),
        "MP4": crowds.add_boxes(crowds.make_names(n_tags)),
        "Matroska": crowds.add_elements(crowds.make_simple_tags(n_tags)),
        "Matroska, at its end": crowds.add_elements(crowds.make_simple_tags(n_tags), at_end=True),
    }

    assert {name: arena.judge(recording).ended for name, recording in tagged.items()} == dict.fromkeys(tagged, "scored")
