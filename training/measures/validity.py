"""How well arousal and valence hold that are read off the probabilities of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.measures.bootstrap import Interval, bound_by_speaker
from training.measures.dimensions import DIMENSIONS
from training.measures.predictions import Predictions

N_DRAWS = 1000
Measure = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True)
class Validity:
    """How well one dimension holds.

    Attributes:
        name: of the measure, with the dimension.
        n_rows: utterances that count.
        value: an area under the curve in [0, 1], or Spearman's correlation in [-1, 1].
        interval: of 95 %, drawing whole speakers.
    """

    name: str
    n_rows: int
    value: float
    interval: Interval


def weigh(chances: NDArray[np.float64], labels: tuple[str, ...], weights: Mapping[str, float]) -> NDArray[np.float64]:
    """Return a dimension, float64 (n,): the weighted sum of probabilities.

    Args:
        chances: float64 (n, n_labels), rows sum to 1.
        labels: of the columns; each has a weight.
        weights: of the labels.

    Raises:
        ValueError: a label has no weight.

    >>> weigh(np.array([[0.5, 0.25, 0.25, 0.0]]), ("anger", "happiness", "neutral", "sadness"), DIMENSIONS["valence"]).tolist()
    [-0.25]
    """
    if set(labels) - set(weights):
        raise ValueError(f"labels are {sorted(labels)}, a dimension is defined for {sorted(weights)}")
    return np.asarray(chances @ np.array([weights[label] for label in labels]), dtype=np.float64)


def measure_auc(values: NDArray[np.float64], is_high: NDArray[np.bool_]) -> float:
    """Return the chance that a high row has the larger value, ties by half (Mann and Whitney 1947); NaN without both.

    >>> measure_auc(np.array([0.1, 0.4, 0.8]), np.array([False, False, True]))
    1.0
    """
    n_high, n_low = int(is_high.sum()), int((~is_high).sum())
    if not n_high or not n_low:
        return float("nan")
    return float((rankdata(values)[is_high].sum() - n_high * (n_high + 1) / 2) / (n_high * n_low))


def measure_rank_correlation(values: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return Spearman's correlation."""
    return float(np.corrcoef(rankdata(values), rankdata(others))[0, 1])


def judge(
    name: str, measure: Measure, columns: tuple[NDArray[Any], NDArray[Any]], *, speakers: NDArray[np.str_], seed: int
) -> Validity:
    """Return a measure of two columns with its percentile interval, drawing whole speakers with replacement.

    Args:
        name: of the result.
        measure: of both columns.
        columns: (n,) each.
        speakers: str (n,).
        seed: of the draws.
    """
    interval = bound_by_speaker(
        lambda rows: measure(columns[0][rows], columns[1][rows]), speakers, n_draws=N_DRAWS, seed=seed
    )
    return Validity(name, len(speakers), measure(*columns), interval)


def judge_labels(predictions: Predictions, *, seed: int = 0) -> list[Validity]:
    """Return how well each dimension parts the acted labels that lie above from those that lie below it.

    Labels of weight 0 stand between and are left out, unless nothing lies below 0 (arousal): then they are below.
    """
    result = []
    for name, weights in DIMENSIONS.items():
        values = weigh(predictions.probabilities, predictions.labels, weights)
        place = np.array([weights[label] for label in predictions.labels])[predictions.truth]
        counts = place != 0 if min(weights.values()) < 0 else np.ones(len(place), dtype=bool)
        columns = (values[counts], place[counts] > 0)
        speakers = predictions.speakers[counts]
        result.append(judge(f"{name}: AUC by label", measure_auc, columns, speakers=speakers, seed=seed))
    return result


def judge_votes(predictions: Predictions, votes: Mapping[str, NDArray[np.float64]], *, seed: int = 0) -> list[Validity]:
    """Return Spearman's correlation of each dimension with the same sum of the listeners' votes.

    Raises:
        ValueError: no utterance has votes.
    """
    rows = np.array([row for row, name in enumerate(predictions.utterances.tolist()) if name in votes], dtype=np.int64)
    if not len(rows):
        raise ValueError("no utterance of the predictions has votes")
    voted = np.stack([votes[predictions.utterances[row]] for row in rows])
    result = []
    for name, weights in DIMENSIONS.items():
        values = weigh(predictions.probabilities[rows], predictions.labels, weights)
        columns = (values, weigh(voted, predictions.labels, weights))
        title, speakers = f"{name}: correlation with votes", predictions.speakers[rows]
        result.append(judge(title, measure_rank_correlation, columns, speakers=speakers, seed=seed))
    return result
