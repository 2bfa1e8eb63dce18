"""From windows to notes: pooling, the label of a note, and measures with intervals by speaker; it prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS
from training.measures import metrics

Array = NDArray[np.float64]
N_DRAWS = 1000
BOOTSTRAP_SEED = 0
POOLINGS = ("mean", "logit", "speech")
NO_SCORE = -1
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """What one note came to.

    Attributes:
        speaker: who spoke it.
        truth: index of the acted label, or -1 for a mixed note.
        scores: float64 (4,), pooled; all 0 where no window was left.
        jitter: mean over steps between windows of half the L1 distance of their scores, 0 to 1; NaN under two windows.
    """

    speaker: str
    truth: int
    scores: Array
    jitter: float

    @cached_property
    def guess(self) -> int:
        """The index of the highest score, or -1 without any score."""
        return int(self.scores.argmax()) if self.scores.any() else NO_SCORE


def pool_windows(probabilities: Array, weights: Array, pooling: str) -> Array:
    """Pool the windows of a note.

    Args:
        probabilities: float64 (n_windows, 4).
        weights: float64 (n_windows,), 0 or more; used by `speech` only, and not where all are 0.
        pooling: one of `POOLINGS`: mean probability, mean log probability, probability weighted by seconds of speech.

    Returns:
        float64 (4,), summing to 1, or zeros without a window.
    """
    if not len(probabilities):
        return np.zeros(len(LABELS))
    if pooling == "logit":
        logits = np.log(np.maximum(probabilities, 1e-12)).mean(axis=0)
        return np.asarray(metrics.apply_softmax(logits[None])[0])
    is_weighted = pooling == "speech" and weights.sum() > 0.0
    return np.asarray(np.average(probabilities, axis=0, weights=weights if is_weighted else None))


def measure_jitter(probabilities: Array) -> float:
    """Return the mean half L1 distance between successive windows, float64 (n_windows, 4); NaN for fewer than two."""
    if len(probabilities) < 2:  # noqa: PLR2004 - a step needs two
        return float("nan")
    return float(np.abs(np.diff(probabilities, axis=0)).sum(axis=1).mean() / 2.0)


def measure_ua(outcomes: Sequence[Outcome]) -> float:
    """Return the mean recall over the labels that occur; a note without a score is missed."""
    truth, guess = _list_labels(outcomes)
    return float(np.mean([(guess[truth == label] == label).mean() for label in np.unique(truth)]))


def measure_share(outcomes: Sequence[Outcome], label: int) -> float:
    """Return the share of notes that are called by a label, or by none for -1."""
    return float((_list_labels(outcomes)[1] == label).mean())


def measure_mean_jitter(outcomes: Sequence[Outcome]) -> float:
    """Return the mean jitter of the notes of two windows and more; NaN if there are none."""
    values = np.array([outcome.jitter for outcome in outcomes])
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def find_interval(
    rows: Sequence[T], speakers: Sequence[str], measure: Callable[[list[T]], float]
) -> tuple[float, float, float]:
    """Return a measure and its 95 % percentile bootstrap interval, whole speakers drawn."""
    groups: dict[str, list[T]] = {}
    for row, speaker in zip(rows, speakers, strict=True):
        groups.setdefault(speaker, []).append(row)
    names = sorted(groups)
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    draws = [
        measure([row for i in rng.integers(len(names), size=len(names)) for row in groups[names[int(i)]]])
        for _ in range(N_DRAWS)
    ]
    low, high = np.nanpercentile(draws, (2.5, 97.5))
    return measure(list(rows)), float(low), float(high)


def _list_labels(outcomes: Sequence[Outcome]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.array([o.truth for o in outcomes]), np.array([o.guess for o in outcomes])
