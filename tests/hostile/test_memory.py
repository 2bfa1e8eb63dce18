"""Memory does not grow with the length of a recording: a quarter of an hour takes what two minutes take."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.hostile.arena import Arena
from tests.unit.recordings import encode_foreign, encode_native
from tests.unit.sounds import make_silence, make_voice

SHORT_MIN, LONG_MIN = 2, 15
MAX_GROWTH_MIB = 30
"""The signal would be 55 MiB as the model takes it, and 151 MiB as the AAC file holds it."""
MINUTE = np.tile(np.append(make_voice(5.0), make_silence(2.5)), 8)


def make_wav(n_minutes: int) -> bytes:
    return encode_native("WAV", "IMA_ADPCM", np.tile(MINUTE, n_minutes))


def make_aac(n_minutes: int) -> bytes:
    return encode_foreign("adts", "aac", MINUTE, 44_100) * n_minutes


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena(limit_s=240.0) as running:
        yield running


@pytest.mark.timeout(900)
@pytest.mark.parametrize("make", [make_wav, make_aac])
def test_a_long_recording_takes_no_more_memory_than_a_short_one(make, arena: Arena) -> None:
    short_recording, long_recording = make(SHORT_MIN), make(LONG_MIN)
    arena.judge(short_recording)  # what is loaded at first use is loaded now

    short, long = arena.judge(short_recording), arena.judge(long_recording)

    assert (short.ended, long.ended) == ("scored", "scored")
    extra_mib = 2 * (len(long_recording) - len(short_recording)) / 2**20  # the judge holds the file, and its copy
    assert long.peak_mib - short.peak_mib - extra_mib < MAX_GROWTH_MIB
