"""Measures of a classifier from its scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
THRESHOLDS = np.round(np.arange(0.25, 1.0, 0.01), 2)  # From 0.25, which every confidence of four labels has.
N_BINS = 15  # Equal-width bins, as in Guo et al. 2017, "On Calibration of Modern Neural Networks".


def count_confusion(truth: Labels, guess: Labels, n_labels: int) -> NDArray[np.int64]:
    """Return int64 (n_labels, n_labels): rows are the true label, columns the guess."""
    table = np.zeros((n_labels, n_labels), dtype=np.int64)
    np.add.at(table, (truth, guess), 1)
    return table


def measure_recall(confusion: NDArray[np.int64]) -> Array:
    """Return each label's recall in [0, 1]; a label that never occurs has recall 0."""
    return np.asarray(np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1), dtype=np.float64)


def measure_unweighted_accuracy(confusion: NDArray[np.int64]) -> float:
    """Return UA, the mean recall over the labels that occur (UAR)."""
    return float(measure_recall(confusion)[confusion.sum(axis=1) > 0].mean())


def measure_ua(scores: Array, truth: Labels) -> float:
    """Return the unweighted accuracy, 0 to 1, of probabilities or logits, float64 (n, n_labels)."""
    return measure_unweighted_accuracy(count_confusion(truth, scores.argmax(axis=1), scores.shape[1]))


def measure_weighted_accuracy(confusion: NDArray[np.int64]) -> float:
    """Return WA, the share of windows guessed right."""
    return float(np.trace(confusion) / max(int(confusion.sum()), 1))


def measure_f1(confusion: NDArray[np.int64]) -> Array:
    """Return each label's F1 in [0, 1]."""
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    return np.asarray(2 * np.diag(confusion) / np.maximum(total, 1), dtype=np.float64)


def apply_softmax(logits: Array, temperature: float = 1.0) -> Array:
    """Return probabilities, float64 (n, n_labels), of logits divided by a temperature over 0."""
    scaled = logits / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


def measure_log_loss(probabilities: Array, truth: Labels) -> float:
    """Return the mean negative log probability of the true label."""
    chosen = probabilities[np.arange(truth.size), truth]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def fit_temperature(logits: Array, truth: Labels) -> float:
    """Return the temperature of least log loss."""
    return find_temperature(lambda temperature: measure_log_loss(apply_softmax(logits, temperature), truth))


def find_temperature(measure: Callable[[float], float]) -> float:
    """Return the temperature that a measure of one valley is least at, by golden-section search over ln T in [-3, 3].

    >>> round(find_temperature(lambda temperature: (temperature - 1.5) ** 2), 6)
    1.5
    """
    low, high = -3.0, 3.0
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        is_left_less = measure(float(np.exp(left))) < measure(float(np.exp(right)))
        low, high = (low, right) if is_left_less else (left, high)
    return float(np.exp((low + high) / 2.0))


def measure_calibration_error(probabilities: Array, truth: Labels) -> float:
    """Return the expected calibration error of the top label over 15 equal-width bins."""
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = [
        abs(confidence[bins == b].mean() - is_right[bins == b].mean()) * (bins == b).mean()
        for b in range(N_BINS)
        if (bins == b).any()
    ]
    return float(np.sum(gaps))


def trace_risk_coverage(probabilities: Array, truth: Labels, thresholds: Array) -> list[tuple[float, float, float]]:
    """Return (threshold, coverage, error among covered) for each confidence threshold; no coverage is error 0."""
    confidence = probabilities.max(axis=1)
    is_wrong = probabilities.argmax(axis=1) != truth
    rows: list[tuple[float, float, float]] = []
    for threshold in thresholds:
        covered = confidence >= threshold
        rows.append(
            (float(threshold), float(covered.mean()), float(is_wrong[covered].mean()) if covered.any() else 0.0)
        )
    return rows


def choose_threshold(curve: list[tuple[float, float, float]], *, max_error: float) -> float:
    """Return the lowest threshold of a risk-coverage curve from which on the error stays at or under `max_error`.

    Raises:
        ValueError: the curve never gets there.
    """
    chosen: float | None = None
    for threshold, _, error in reversed(curve):
        if error > max_error:
            break
        chosen = threshold
    if chosen is None:
        message = f"no threshold of the curve has an error of at most {max_error}"
        raise ValueError(message)
    return chosen
