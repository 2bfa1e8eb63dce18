"""Confidence intervals by drawing speakers, since one speaker's utterances are no independent trials; never of single rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measures.metrics import count_confusion
from training.measures.predictions import Predictions

N_DRAWS = 2000
COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """A percentile interval of 95 %.

    Attributes:
        low, high: low <= high.
    """

    low: float
    high: float


def count_by_speaker(predictions: Predictions) -> NDArray[np.int64]:
    """Return one confusion matrix a speaker, int64 (n_speakers, n_labels, n_labels), in order of speaker."""
    n_labels = len(predictions.labels)
    guess = predictions.guess
    tables = [
        count_confusion(predictions.truth[mine], guess[mine], n_labels)
        for mine in (predictions.speakers == speaker for speaker in np.unique(predictions.speakers))
    ]
    return np.stack(tables)


def draw_confusions(by_speaker: NDArray[np.int64], *, seed: int, n_draws: int = N_DRAWS) -> NDArray[np.int64]:
    """Draw as many speakers as there are, with replacement, and pool their confusion matrices.

    Args:
        by_speaker: int64 (n_speakers, n_labels, n_labels).
        seed: of the draws.
        n_draws: how often.

    Returns:
        int64 (n_draws, n_labels, n_labels).
    """
    n_speakers = len(by_speaker)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(n_speakers, np.full(n_speakers, 1.0 / n_speakers), size=n_draws)
    return np.asarray(np.tensordot(times, by_speaker, axes=1), dtype=np.int64)


def measure_interval(drawn: NDArray[np.int64], measure: Callable[[NDArray[np.int64]], float]) -> Interval:
    """Return the percentile interval (Efron 1979) of a measure over drawn confusion matrices."""
    values = [measure(confusion) for confusion in drawn]
    low, high = np.quantile(values, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(low), float(high))


def bound_by_speaker(
    measure: Callable[[NDArray[np.int64]], float], speakers: NDArray[np.str_], *, n_draws: int, seed: int = 0
) -> Interval:
    """Return the percentile interval of a measure of rows, drawing whole speakers with replacement.

    Args:
        measure: of rows by their indices, int64; a draw of which it makes NaN does not count.
        speakers: str (n_rows,).
        n_draws: how often.
        seed: of the draws.
    """
    rows = [np.flatnonzero(speakers == speaker) for speaker in np.unique(speakers)]
    rng = np.random.default_rng(seed)
    draws = (np.concatenate([rows[int(i)] for i in rng.integers(len(rows), size=len(rows))]) for _ in range(n_draws))
    low, high = np.nanquantile([measure(drawn) for drawn in draws], [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Interval(float(low), float(high))
