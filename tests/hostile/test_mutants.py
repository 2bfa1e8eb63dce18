"""Broken recordings of every codec end in scores or in a reason: no crash, no hang, no surprise, little memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.hostile.arena import Arena
from tests.hostile.fuzz import fuzz
from tests.hostile.mutate import checksum_ogg, make_mutant, repair_ogg_checksums
from tests.hostile.sources import ENCODERS, make_sources

SEED = 20261124
N_MUTANTS = 50
LIMIT_S = 30.0
MAX_PEAK_MIB = 450.0
"""A good recording takes 130 MiB, most of it libraries; 20,000 mutants took 279 at most."""
SOURCES = make_sources()


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena(limit_s=LIMIT_S) as running:
        yield running


@pytest.mark.parametrize("codec", ENCODERS)
def test_what_is_to_be_broken_is_whole(codec: str, arena: Arena) -> None:
    verdict = arena.judge(SOURCES[codec])

    # random speech parameters make no voice, so these are only decoded
    assert verdict.ended == ("no_speech" if codec in ("amr-wb", "ogg-speex") else "scored"), verdict


@pytest.mark.parametrize("codec", ENCODERS)
def test_a_mutant_is_scored_or_refused_with_a_reason(codec: str, arena: Arena) -> None:
    tally = fuzz(arena, codec=codec, sources=SOURCES, n_mutants=N_MUTANTS, seed=SEED, keep=None)

    assert tally.faults == []
    assert tally.ended.total() == N_MUTANTS
    assert len(tally.ended) >= 2  # else nothing was really broken, or everything
    assert tally.peak_mib < MAX_PEAK_MIB


def test_the_same_seed_breaks_the_same_way_and_another_differently() -> None:
    original, other = SOURCES["flac"], SOURCES["mp3"]

    assert make_mutant(original, other, seed=(1, 2)) == make_mutant(original, other, seed=(1, 2))
    assert make_mutant(original, other, seed=(1, 2)) != make_mutant(original, other, seed=(1, 3))


def test_repairing_what_is_whole_changes_nothing() -> None:
    assert repair_ogg_checksums(SOURCES["ogg-opus"]) == SOURCES["ogg-opus"]
    assert checksum_ogg(b"") == 0


ENDS = {
    "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)": (60.0, "crash", "SIGSEGV"),
    "import os; os._exit(3)": (60.0, "crash", "exit code 3"),
    "import time; time.sleep(600)": (0.5, "hang", "no answer"),
}


@pytest.mark.parametrize("code", ENDS)
def test_a_crash_and_a_hang_are_seen_and_the_next_recording_is_judged(code: str) -> None:
    ready = """import sys; print('{"ended": "ready"}', flush=True); sys.stdin.buffer.read(4); """
    limit_s, ended, detail = ENDS[code]
    with Arena(limit_s=limit_s, command=[sys.executable, "-c", ready + code]) as arena:
        verdicts = [arena.judge(b"recording") for _ in range(2)]

    assert [verdict.ended for verdict in verdicts] == [ended, ended]
    assert detail in verdicts[0].detail
