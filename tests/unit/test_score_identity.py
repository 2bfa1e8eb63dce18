"""The shipped graph gives a window the same scores to the bit, whatever is scored beside, before or in another thread."""

from __future__ import annotations

import platform
import threading
from itertools import permutations

import numpy as np
import pytest

from config.settings import SHIPPED_MODELS
from tests.unit.sounds import make_noise, make_voice
from worker.scoring.bundle import Bundle, load_bundle
from worker.scoring.scorer import Scorer, WindowScores
from worker.scoring.session import INPUT, build_session

IS_X86 = platform.machine().lower() in {"x86_64", "amd64"}
OUTPUTS = ["probabilities", "speech", "arousal", "valence"]
LENGTHS_S = (0.4, 1.0, 1.33, 2.71, 4.0)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(max(SHIPPED_MODELS.glob("*/manifest.json")).parent)


@pytest.fixture(scope="module")
def scorer(bundle: Bundle) -> Scorer:
    return Scorer(bundle)


@pytest.fixture(scope="module")
def windows() -> list[np.ndarray]:
    return [make_voice(length_s) for length_s in LENGTHS_S]


@pytest.fixture(scope="module")
def alone(bundle: Bundle, windows: list[np.ndarray]) -> list[WindowScores]:
    """Scores of each window by a scorer that has never seen another."""
    return [Scorer(bundle).score(window) for window in windows]


def test_any_order_gives_the_same_scores(scorer: Scorer, windows: list[np.ndarray], alone: list[WindowScores]) -> None:
    for order in list(permutations(range(len(windows))))[::17]:
        assert [scorer.score(windows[index]) for index in order] == [alone[index] for index in order]


def test_loud_and_silent_neighbours_leave_nothing_behind(
    scorer: Scorer, windows: list[np.ndarray], alone: list[WindowScores]
) -> None:
    for window, expected in zip(windows, alone, strict=True):
        scorer.score(make_noise(3.0, seed=1))
        scorer.score(np.zeros(64_000, dtype=np.float32))
        assert scorer.score(window) == expected


def test_sessions_in_other_threads_change_nothing(
    bundle: Bundle, windows: list[np.ndarray], alone: list[WindowScores]
) -> None:
    scorers = [Scorer(bundle) for _ in range(3)]
    found: list[list[WindowScores]] = [[] for _ in scorers]

    def score_all(index: int) -> None:
        found[index] = [scorers[index].score(window) for window in windows[:3] * 3]

    threads = [threading.Thread(target=score_all, args=(index,)) for index in range(len(scorers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [alone[:3] * 3] * len(scorers)


def test_a_batch_gives_each_window_what_it_has_alone(bundle: Bundle, windows: list[np.ndarray]) -> None:
    session = build_session(bundle, 1)
    batch = np.zeros((len(windows), 64_000), dtype=np.float32)
    for row, window in zip(batch, windows, strict=True):
        row[: len(window)] = window

    together = session.run(OUTPUTS, {INPUT: batch})

    for index in range(len(windows)):
        one = session.run(OUTPUTS, {INPUT: batch[index : index + 1]})
        for given, expected in zip(together, one, strict=True):
            np.testing.assert_array_equal(given[index], expected[0])


def test_how_many_zeros_follow_changes_no_bit(bundle: Bundle, scorer: Scorer, windows: list[np.ndarray]) -> None:
    session = build_session(bundle, 1)
    for window in windows:
        n_short = scorer._find_shape(len(window))
        short, whole = np.zeros((1, n_short), dtype=np.float32), np.zeros((1, 128_000), dtype=np.float32)
        short[0, : len(window)] = whole[0, : len(window)] = window

        for given, expected in zip(*(session.run(OUTPUTS, {INPUT: one}) for one in (short, whole)), strict=True):
            np.testing.assert_allclose(given, expected, rtol=0.0, atol=0.0 if IS_X86 else 1e-6)


def test_a_window_is_run_at_most_80_ms_longer_than_it_is(scorer: Scorer) -> None:
    for n_samples in (15_361, 31_999, 40_000, 127_000):
        assert 0 <= scorer._find_shape(n_samples) - n_samples < 1_280
    assert scorer._find_shape(0) == scorer._find_shape(15_360) == 15_360
    assert scorer._find_shape(128_000) == 128_000
