"""The front end normalises, emphasises and trims one window, and leaves silence silent."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.sounds import make_silence, make_voice
from worker.audio.frontend import FrontEnd, prepare

NOTHING = FrontEnd(peak=None)


@pytest.mark.parametrize("level", [1.0, 0.1, 0.001])
def test_the_peak_is_brought_to_the_same_height(level: float) -> None:
    prepared = prepare(make_voice(1.0) * np.float32(level), FrontEnd())

    assert np.abs(prepared).max() == pytest.approx(0.95, abs=1e-6)
    assert prepared.dtype == np.float32


def test_silence_stays_silent() -> None:
    assert not prepare(make_silence(1.0), FrontEnd(pre_emphasis=0.97)).any()


def test_an_empty_window_stays_empty() -> None:
    assert len(prepare(make_silence(0.0), FrontEnd(pre_emphasis=0.97, trim_top_db=20.0))) == 0


def test_with_every_step_left_out_nothing_changes() -> None:
    voice = make_voice(1.0) + np.float32(0.1)

    assert np.array_equal(prepare(voice, NOTHING), voice)


def test_pre_emphasis_subtracts_the_sample_before() -> None:
    signal = np.asarray([1.0, 1.0, 0.5, -1.0], dtype=np.float32)

    prepared = prepare(signal, FrontEnd(peak=None, pre_emphasis=0.5))

    np.testing.assert_allclose(prepared, [1.0, 0.5, 0.0, -1.25])


def test_quiet_ends_are_trimmed_and_quiet_middles_are_not() -> None:
    voice = make_voice(1.0)
    signal = np.concatenate([make_silence(1.0), voice, make_silence(1.0), voice, make_silence(1.0)])

    trimmed = prepare(signal, FrontEnd(peak=None, trim_top_db=20.0))

    assert len(trimmed) / 16_000 == pytest.approx(3.0, abs=0.25)


def test_a_window_without_quiet_ends_is_not_trimmed() -> None:
    tone = np.sin(np.arange(16_000) / 5).astype(np.float32)

    assert len(prepare(tone, FrontEnd(peak=None, trim_top_db=20.0))) == 16_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peak": 0.0}, "peak is 0.0"),
        ({"peak": 1.5}, "peak is 1.5"),
        ({"pre_emphasis": 1.0}, "pre_emphasis is 1.0"),
        ({"trim_top_db": 0.0}, "trim_top_db is 0.0"),
    ],
)
def test_a_setting_out_of_range_is_named(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrontEnd(**changes)
