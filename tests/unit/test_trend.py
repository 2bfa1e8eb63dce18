"""A trend tells slope, ends and volatility from the windows of one note."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest

from worker.scoring import trend
from worker.scoring.note import EmotionTrend, ScoredSegment
from worker.scoring.trend import describe_trend

FEW = 9  # windows of which there is no slope


def make_note(scores: list[float], *, hop_ms: int = 8000) -> list[ScoredSegment]:
    return [
        ScoredSegment(index * hop_ms, index * hop_ms + 8000, 8000, {"anger": score, "sadness": 1.0 - score})
        for index, score in enumerate(scores)
    ]


def describe(scores: list[float], *, hop_ms: int = 8000) -> dict[str, EmotionTrend]:
    return describe_trend(make_note(scores, hop_ms=hop_ms), [8000] * len(scores))


def test_one_window_stands_still() -> None:
    expected = EmotionTrend(None, None, 0.3, 0.3, 0.0, level=pytest.approx(np.log(3 / 7)), n_effective=1.0)
    assert describe([0.3])["anger"] == expected


def test_two_windows_start_with_one_and_end_with_the_other() -> None:
    anger = describe([0.2, 0.5])["anger"]

    assert (anger.start_mean, anger.end_mean, anger.volatility) == (0.2, 0.5, pytest.approx(0.3))


@pytest.mark.parametrize("n_windows", [2, 5, FEW])
def test_few_windows_have_no_slope_and_rows_keep_none(n_windows: int) -> None:
    anger = describe(list(np.linspace(0.0, 1.0, n_windows)))["anger"]

    assert set(anger.as_numbers()) == {
        "start_mean",
        "end_mean",
        "volatility",
        "level",
        "spread",
        "n_effective",
    }


def test_a_steady_rise_has_its_slope_whatever_the_note_is_long() -> None:
    rising = describe([0.1 + 0.05 * index for index in range(12)], hop_ms=30_000)["anger"]

    assert rising.slope_per_min == pytest.approx(0.1)
    assert rising.start_mean == pytest.approx(0.175)
    assert rising.end_mean == pytest.approx(0.575)
    assert rising.volatility == pytest.approx(0.05)


def test_a_swing_is_volatile_and_its_slope_is_within_its_error() -> None:
    swinging = describe([0.2, 0.8] * 6 + [0.2])["anger"]

    assert swinging.slope_per_min == pytest.approx(0.0, abs=1e-12)
    assert swinging.slope_error > 0
    assert swinging.volatility == pytest.approx(0.6)


def test_slopes_of_all_labels_cancel() -> None:
    trends = describe(list(np.random.default_rng(3).uniform(0, 1, 11)))

    assert sum(one.slope_per_min for one in trends.values()) == pytest.approx(0.0, abs=1e-12)


def test_the_slope_of_equal_windows_is_that_of_least_squares() -> None:
    scores = list(np.random.default_rng(4).uniform(0, 1, 12))

    minutes = [(index * 8000 + 4000) / 60_000 for index in range(12)]

    assert describe(scores)["anger"].slope_per_min == pytest.approx(np.polyfit(minutes, scores, 1)[0])


def test_a_tail_that_repeats_what_was_said_hardly_counts() -> None:
    note = make_note([0.2] * 12)
    tail = replace(note[-1], start_ms=note[-1].start_ms + 400, end_ms=note[-1].end_ms + 400)
    tail = replace(tail, scores={"anger": 0.9, "sadness": 0.1})

    weighted, equal = (describe_trend([*note, tail], [8000] * 12 + [last]) for last in (400, 8000))

    assert weighted["anger"].slope_per_min < equal["anger"].slope_per_min / 5
    assert weighted["anger"].end_mean < 0.25 < equal["anger"].end_mean


def test_a_dimension_moves_and_has_no_log_odds() -> None:
    note = [replace(segment, dimensions={"valence": -0.5}) for segment in make_note([0.2, 0.3])]

    valence = describe_trend(note, [8000, 8000])["valence"]

    assert (valence.start_mean, valence.level, valence.spread) == (-0.5, None, None)


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(trend).failed == 0
