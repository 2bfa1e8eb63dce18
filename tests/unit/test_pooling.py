"""Pooling keeps what windows agree on and weighs what they do not."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.scoring.manifest import Pooling
from worker.scoring.pooling import KINDS, WEIGHTS, name_label, pool_scores

LABELS = ("anger", "happiness", "neutral", "sadness")


@given(
    raw=st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4),
    weights=st.lists(st.integers(1, 8000), min_size=1, max_size=20),
)
def test_pooling_a_constant_gives_the_constant(raw: list[float], weights: list[int]) -> None:
    window = {label: value / sum(raw) for label, value in zip(LABELS, raw, strict=True)}

    pooled = pool_scores([window] * len(weights), weights)

    assert pooled == pytest.approx(window)
    assert sum(pooled.values()) == pytest.approx(1.0, abs=1e-12)
    assert list(pooled) == list(LABELS)


def test_a_window_with_more_new_speech_weighs_more() -> None:
    windows = [{"anger": 1.0, "sadness": 0.0}, {"anger": 0.0, "sadness": 1.0}]

    assert pool_scores(windows, [8000, 2000]) == {"anger": 0.8, "sadness": 0.2}
    assert pool_scores(windows, [1.0, 1.0]) == {"anger": 0.5, "sadness": 0.5}


def test_the_highest_score_names_the_label() -> None:
    assert name_label({"anger": 0.3, "sadness": 0.7}, 0.5) == ("sadness", 0.7, False)


def test_a_low_confidence_is_uncertain() -> None:
    scores = {"anger": 0.4, "happiness": 0.3, "sadness": 0.3}

    assert name_label(scores, 0.5) == ("anger", 0.4, True)
    assert name_label(scores, 0.4) == ("anger", 0.4, False)


def test_of_equal_scores_the_first_label_wins() -> None:
    assert name_label({"anger": 0.5, "sadness": 0.5}, 0.5)[0] == "anger"


def test_every_kind_and_weight_that_a_manifest_may_name_is_known() -> None:
    allowed = Pooling.model_fields

    assert set(get_args(allowed["kind"].annotation)) == set(KINDS)
    assert set(get_args(allowed["weight"].annotation)) == set(WEIGHTS)
