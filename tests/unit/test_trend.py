"""A trend tells slope, ends and volatility from the windows of one note."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from worker.scoring import trend
from worker.scoring.note import EmotionTrend, ScoredSegment
from worker.scoring.trend import describe_trend


def make_note(scores: list[float], *, hop_ms: int = 8000) -> list[ScoredSegment]:
    return [
        ScoredSegment(index * hop_ms, index * hop_ms + 8000, 8000, {"anger": score, "sadness": 1.0 - score})
        for index, score in enumerate(scores)
    ]


def test_one_window_is_flat() -> None:
    assert describe_trend(make_note([0.3]))["anger"] == EmotionTrend(0.0, 0.3, 0.3, 0.0)


def test_two_windows_start_with_one_and_end_with_the_other() -> None:
    anger = describe_trend(make_note([0.2, 0.5], hop_ms=60_000))["anger"]

    assert anger == EmotionTrend(pytest.approx(0.3), 0.2, 0.5, pytest.approx(0.3))


def test_a_steady_rise_has_its_slope_whatever_the_note_is_long() -> None:
    rising = describe_trend(make_note([0.1 + 0.05 * index for index in range(9)], hop_ms=30_000))["anger"]

    assert rising.slope_per_min == pytest.approx(0.1)
    assert rising.start_mean == pytest.approx(0.15)
    assert rising.end_mean == pytest.approx(0.45)
    assert rising.volatility == pytest.approx(0.05)


def test_a_swing_is_volatile_and_has_no_slope() -> None:
    swinging = describe_trend(make_note([0.2, 0.8, 0.2, 0.8, 0.2]))["anger"]

    assert swinging.slope_per_min == pytest.approx(0.0, abs=1e-12)
    assert swinging.volatility == pytest.approx(0.6)


def test_slopes_of_all_labels_cancel() -> None:
    rng = np.random.default_rng(3)

    trends = describe_trend(make_note(list(rng.uniform(0, 1, 11))))

    assert sum(one.slope_per_min for one in trends.values()) == pytest.approx(0.0, abs=1e-12)


def test_the_slope_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(4)
    scores = list(rng.uniform(0, 1, 7))

    minutes = [(index * 8000 + 4000) / 60_000 for index in range(7)]

    expected = np.polyfit(minutes, scores, 1)[0]
    assert describe_trend(make_note(scores))["anger"].slope_per_min == pytest.approx(expected)


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(trend).failed == 0
