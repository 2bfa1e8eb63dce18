"""Arousal and valence of the four probabilities, and how they are judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.corpora import LABELS
from training.corpora.votes import read_votes
from training.measures.dimensions import AROUSAL, VALENCE, name_outputs
from training.measures.predictions import Predictions
from training.measures.validity import (
    judge_labels,
    judge_votes,
    measure_auc,
    measure_rank_correlation,
    weigh,
)


def _make_predictions(chances: np.ndarray, truth: np.ndarray) -> Predictions:
    n_rows = len(truth)
    names = np.array([f"clip-{row}" for row in range(n_rows)])
    speakers = np.array([f"speaker-{row % 7}" for row in range(n_rows)])
    return Predictions(LABELS, names, speakers, np.array(["0"] * n_rows), truth, chances)


def _draw(seed: int, *, n_rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(4), size=n_rows), rng.integers(4, size=n_rows)


def test_a_sure_anger_is_high_in_arousal_and_low_in_valence() -> None:
    anger = np.eye(4)[[LABELS.index("anger")]]
    assert weigh(anger, LABELS, AROUSAL).tolist() == [1.0]
    assert weigh(anger, LABELS, VALENCE).tolist() == [-1.0]


def test_the_manifest_is_told_the_ends_that_the_sums_can_reach() -> None:
    told = name_outputs()
    for name, weights in (("arousal", AROUSAL), ("valence", VALENCE)):
        reached = weigh(np.eye(4), LABELS, weights)
        assert told[name] == {"output": name, "low": reached.min(), "high": reached.max()}


def test_a_label_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fear.*anger"):
        weigh(np.ones((1, 1)), ("fear",), AROUSAL)


def test_the_area_is_a_half_for_chance_one_for_order_and_turns_with_the_sign() -> None:
    values, truth = _draw(0)
    is_high = truth > 1
    assert measure_auc(np.zeros(len(truth)), is_high) == 0.5
    assert measure_auc(is_high.astype(float), is_high) == 1.0
    assert measure_auc(-values[:, 0], is_high) == pytest.approx(1.0 - measure_auc(values[:, 0], is_high))
    assert np.isnan(measure_auc(values[:, 0], np.ones(len(truth), dtype=bool)))


def test_right_probabilities_part_the_labels_and_random_ones_do_not() -> None:
    chances, truth = _draw(1)
    right = judge_labels(_make_predictions(np.eye(4)[truth], truth))
    random = judge_labels(_make_predictions(chances, truth))
    assert [one.value for one in right] == [1.0, 1.0]
    assert right[1].n_rows == int((truth != LABELS.index("neutral")).sum())
    for one in random:
        assert one.interval.low <= 0.5 <= one.interval.high
        assert one.interval.low <= one.value <= one.interval.high


def test_what_says_the_votes_agrees_with_them_and_clips_without_votes_do_not_count() -> None:
    chances, truth = _draw(2)
    predictions = _make_predictions(chances, truth)
    votes = {f"clip-{row}": chances[row] for row in range(100)}
    found = judge_votes(predictions, votes)
    assert [one.n_rows for one in found] == [100, 100]
    assert [one.value for one in found] == pytest.approx([1.0, 1.0])
    with pytest.raises(ValueError, match="no utterance"):
        judge_votes(predictions, {})


def test_rank_correlation_ignores_the_scale() -> None:
    values = np.random.default_rng(3).normal(size=50)
    assert measure_rank_correlation(values, np.exp(values)) == pytest.approx(1.0)


def test_votes_are_shares_of_the_four_labels_and_a_clip_with_none_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "name,n_votes,anger,disgust,happiness,neutral,sadness\na,10,3,6,1,0,0\nb,4,0,4,0,0,0\n", encoding="utf-8"
    )
    votes = read_votes(path, LABELS)
    assert set(votes) == {"a"}
    assert dict(zip(LABELS, votes["a"].tolist(), strict=True)) == {
        "anger": 0.75,
        "happiness": 0.25,
        "neutral": 0.0,
        "sadness": 0.0,
    }
    path.write_text("name,anger\na,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="happiness, neutral, sadness"):
        read_votes(path, LABELS)


def test_a_missing_file_of_votes_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="a column name"):
        read_votes(tmp_path / "votes.csv", LABELS)
