"""All figures of a report from predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measures import metrics
from training.measures.arousal import Arousal, analyse_arousal, has_arousal
from training.measures.bootstrap import N_DRAWS, Interval, count_by_speaker, draw_confusions, measure_interval
from training.measures.predictions import Predictions

Confusion = NDArray[np.int64]
MIN_SPEAKERS = 2  # One speaker cannot be drawn differently.


@dataclass(frozen=True)
class Measure:
    """One figure, twice: over folds as the paper gives it, and pooled with an interval.

    Attributes:
        name: `WA`, `UA`, `macro F1`, `ECE` or `F1 anger` and so on.
        mean: over folds.
        deviation: over folds, of a sample (n - 1); None with one fold.
        pooled: over all predictions together.
        interval: of the pooled figure, by speaker; None for ECE and where there is one speaker only.
    """

    name: str
    mean: float
    deviation: float | None
    pooled: float
    interval: Interval | None


@dataclass(frozen=True)
class Fold:
    """One fold's figures, those of `Summary.measures` by name, and its confusion matrix, rows are the truth."""

    name: str
    n_utterances: int
    n_speakers: int
    figures: dict[str, float]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions whose confidence is about the same: how sure they are, and how often right."""

    confidence: float
    accuracy: float
    n_utterances: int


@dataclass(frozen=True)
class Summary:
    """Everything that a report says about predictions.

    Attributes:
        labels: in the order of the rows and columns of every confusion matrix.
        n_utterances, n_speakers: tested.
        measures: WA, UA, macro F1, each label's F1, ECE.
        folds: in order of name.
        confusion: of all predictions; rows are the truth.
        arousal: None where a label has no arousal.
        arousal_interval: of `arousal.within`, by speaker.
        reliability: bins that are not empty, by confidence.
    """

    labels: tuple[str, ...]
    n_utterances: int
    n_speakers: int
    measures: tuple[Measure, ...]
    folds: tuple[Fold, ...]
    confusion: tuple[tuple[int, ...], ...]
    arousal: Arousal | None
    arousal_interval: Interval | None
    reliability: tuple[ReliabilityBin, ...]


def measure_macro_f1(confusion: Confusion) -> float:
    """Return the mean F1 over the labels that occur."""
    return float(metrics.measure_f1(confusion)[confusion.sum(axis=1) > 0].mean())


def list_measures(labels: tuple[str, ...]) -> dict[str, Callable[[Confusion], float]]:
    """Return every measure that a confusion matrix gives, by name."""

    def make_f1(index: int) -> Callable[[Confusion], float]:
        return lambda confusion: float(metrics.measure_f1(confusion)[index])

    return {
        "WA": metrics.measure_weighted_accuracy,
        "UA": metrics.measure_unweighted_accuracy,
        "macro F1": measure_macro_f1,
        **{f"F1 {label}": make_f1(index) for index, label in enumerate(labels)},
    }


def summarise(predictions: Predictions, *, seed: int = 0, n_draws: int = N_DRAWS) -> Summary:
    """Measure predictions fold by fold, pooled, and by speaker.

    Args:
        predictions: of one protocol.
        seed: of the bootstrap.
        n_draws: of the bootstrap, 1 or more.
    """
    labels = predictions.labels
    folds = tuple(_measure_fold(predictions, str(name)) for name in np.unique(predictions.folds))
    pooled = metrics.count_confusion(predictions.truth, predictions.guess, len(labels))
    by_speaker = count_by_speaker(predictions)
    drawn = draw_confusions(by_speaker, seed=seed, n_draws=n_draws) if len(by_speaker) >= MIN_SPEAKERS else None
    measures = [
        _spread(name, folds, measure(pooled), None if drawn is None else measure_interval(drawn, measure))
        for name, measure in list_measures(labels).items()
    ]
    measures.append(
        _spread("ECE", folds, _measure_ece(predictions, np.full(len(predictions.truth), fill_value=True)), None)
    )
    is_fit = has_arousal(labels)
    return Summary(
        labels,
        len(predictions.truth),
        len(by_speaker),
        tuple(measures),
        folds,
        _freeze(pooled),
        analyse_arousal(pooled, labels) if is_fit else None,
        measure_interval(drawn, lambda c: analyse_arousal(c, labels).within) if is_fit and drawn is not None else None,
        _bin_confidence(predictions),
    )


def _measure_fold(predictions: Predictions, name: str) -> Fold:
    mine = predictions.folds == name
    confusion = metrics.count_confusion(predictions.truth[mine], predictions.guess[mine], len(predictions.labels))
    figures = {key: measure(confusion) for key, measure in list_measures(predictions.labels).items()}
    figures["ECE"] = _measure_ece(predictions, mine)
    return Fold(name, int(mine.sum()), len(np.unique(predictions.speakers[mine])), figures, _freeze(confusion))


def _measure_ece(predictions: Predictions, mine: NDArray[np.bool_]) -> float:
    return metrics.measure_calibration_error(predictions.probabilities[mine], predictions.truth[mine])


def _spread(name: str, folds: tuple[Fold, ...], pooled: float, interval: Interval | None) -> Measure:
    values = np.array([fold.figures[name] for fold in folds])
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    return Measure(name, float(values.mean()), deviation, pooled, interval)


def _bin_confidence(predictions: Predictions) -> tuple[ReliabilityBin, ...]:
    confidence = predictions.probabilities.max(axis=1)
    is_right = predictions.guess == predictions.truth
    bins = np.minimum((confidence * metrics.N_BINS).astype(int), metrics.N_BINS - 1)
    return tuple(
        ReliabilityBin(float(confidence[bins == b].mean()), float(is_right[bins == b].mean()), int((bins == b).sum()))
        for b in np.unique(bins)
    )


def _freeze(confusion: Confusion) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(n) for n in row) for row in confusion)
