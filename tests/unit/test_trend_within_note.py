"""Within a note windows count by what is new in them, and a slope needs enough of them and says how sure it is."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.days import wander
from trends import describe_movement, measure_level, to_logit
from trends.within_note import correlate_windows

WINDOW_MS = 8000


@dataclass(frozen=True)
class Windows:
    """Scores of a note's windows, where they are and what is new in them."""

    scores: list[float]
    minutes: list[float]
    new_speech_ms: list[int]

    @property
    def level(self):
        return measure_level(self.scores, self.new_speech_ms)

    @property
    def movement(self):
        return describe_movement(self.minutes, self.scores, self.new_speech_ms)


def make_windows(scores):
    minutes = [(place + 0.5) * WINDOW_MS / 60_000 for place in range(len(scores))]
    return Windows([float(score) for score in scores], minutes, [WINDOW_MS] * len(scores))


def add_tail(windows, score, *, new_speech_ms=500):
    """A last window that overlaps the one before it but for a little."""
    return Windows(
        [*windows.scores, score],
        [*windows.minutes, windows.minutes[-1] + new_speech_ms / 60_000],
        [*windows.new_speech_ms, new_speech_ms],
    )


@pytest.mark.parametrize(("n_windows", "has_slope"), [(1, False), (9, False), (10, True)])
def test_under_ten_windows_there_is_no_slope(n_windows, has_slope):
    note = make_windows(np.linspace(0.2, 0.8, n_windows))

    assert (note.movement.slope is not None) == has_slope
    assert (note.level.spread is None) == (note.movement.volatility is None) == (n_windows == 1)


def test_a_steady_rise_has_its_slope_without_doubt():
    slope = make_windows(np.linspace(0.1, 0.9, 13)).movement.slope

    assert slope.per_min == pytest.approx(0.8 / (12 * 8 / 60))
    assert slope.error == pytest.approx(0.0, abs=1e-9)


def test_an_overlapping_tail_counts_by_its_new_speech():
    with_tail = add_tail(make_windows([0.2] * 12), 0.9)

    assert with_tail.level.level == pytest.approx((12 * 8 * to_logit(0.2) + 0.5 * to_logit(0.9)) / 96.5)
    assert with_tail.level.n_effective < 12.2
    assert with_tail.movement.end < 0.25
    assert with_tail.movement.volatility < 0.01
    assert with_tail.movement.slope.per_min < 0.04  # as one window among equals it would be 0.17


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(2, 5))
def test_twice_the_same_windows_are_the_same_level(scores, times):
    once, often = (make_windows(sorted(scores * n)).level for n in (1, times))

    assert often.level == pytest.approx(once.level, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=10, max_size=40))
def test_a_note_that_is_played_backwards_has_the_opposite_slope(scores):
    forth, back = (make_windows(order).movement for order in (scores, scores[::-1]))

    assert back.slope.per_min == pytest.approx(-forth.slope.per_min, abs=1e-9)
    assert (back.start, back.end) == (pytest.approx(forth.end), pytest.approx(forth.start))
    assert back.volatility == pytest.approx(forth.volatility)


@pytest.mark.parametrize("rho", [0.0, 0.3])
@pytest.mark.parametrize("n_windows", [10, 30])
def test_intervals_of_slopes_cover_what_is_true(rho, n_windows):
    notes = wander(np.random.default_rng(2), n_windows, n_people=300, rho=rho)

    slopes = [make_windows(0.5 + 0.08 * scores).movement.slope for scores in notes]

    assert np.mean([slope.low < 0 < slope.high for slope in slopes]) >= 0.915


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [0.5, 1.2]}, "score is 1.2"),
        ({"new_speech_ms": [8000, 0]}, "new speech of a window is 0"),
        ({"new_speech_ms": [8000]}, "2 windows have 1 amounts"),
        ({"scores": [], "new_speech_ms": []}, "0 windows"),
    ],
)
def test_windows_that_are_none_have_no_level(change, message):
    with pytest.raises(ValueError, match=message):
        _ = replace(make_windows([0.5, 0.6]), **change).level


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"minutes": [1.0, 0.5]}, "order of time"),
        ({"minutes": [1.0]}, "2 windows have 1 times"),
        ({"new_speech_ms": [8000, -1]}, "new speech of a window is -1"),
    ],
)
def test_windows_that_are_none_do_not_move(change, message):
    with pytest.raises(ValueError, match=message):
        _ = replace(make_windows([0.5, 0.6]), **change).movement


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("n", [1, 10, 900])
def test_correlated_windows_are_summed_as_by_the_whole_matrix(n, rho):
    rng = np.random.default_rng(n)
    vector, steps = rng.normal(size=n), np.arange(n)

    whole = rho ** np.abs(steps[:, None] - steps[None, :]) @ vector

    assert correlate_windows(vector, rho) == pytest.approx(whole, rel=1e-12, abs=1e-12)


def test_a_note_of_half_a_day_takes_memory_in_proportion_to_its_windows():
    n = 5_000
    values = np.random.default_rng(0).random(n)
    tracemalloc.start()
    try:
        movement = describe_movement([window / 10 for window in range(n)], list(values), [8000] * n)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert movement.slope is not None
    assert peak_bytes < 1000 * n
