"""Measures of windows that were scored out of fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS
from training.data.copies import CLEAN
from training.measures import metrics


@dataclass(frozen=True)
class OutOfFold:
    """Scores of windows by the one head that never heard their speaker.

    Attributes:
        logits: float64 (n_windows, 4).
        truth: int64 (n_windows,).
        fold: int64 (n_windows,).
    """

    logits: NDArray[np.float64]
    truth: NDArray[np.int64]
    fold: NDArray[np.int64]

    def measure(self) -> dict[str, tuple[float, float]]:
        """Return mean and deviation (n - 1) over folds of UA, WA, macro F1 and each label's F1."""
        rows: list[list[float]] = []
        for fold in np.unique(self.fold):
            mine = self.fold == fold
            table = metrics.count_confusion(self.truth[mine], self.logits[mine].argmax(axis=1), len(LABELS))
            f1 = metrics.measure_f1(table)
            accuracy = (metrics.measure_unweighted_accuracy(table), metrics.measure_weighted_accuracy(table))
            rows.append([*accuracy, float(f1.mean()), *f1.tolist()])
        names = ("ua", "wa", "f1", *(f"f1_{label}" for label in LABELS))
        values = np.array(rows)
        spread = zip(names, values.mean(axis=0).tolist(), values.std(axis=0, ddof=1).tolist(), strict=True)
        return {name: (mean, deviation) for name, mean, deviation in spread}


def encode_labels(kinds: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return each label's index in `LABELS`."""
    return np.array([LABELS.index(kind) for kind in kinds], dtype=np.int64)


def measure_view(scored: OutOfFold) -> dict[str, list[float]]:
    """Return the measures of one view, rounded."""
    return {key: [round(mean, 4), round(deviation, 4)] for key, (mean, deviation) in scored.measure().items()}


def measure_calibration(scored: dict[str, OutOfFold], *, temperature: float, uncertain_below: float) -> dict[str, Any]:
    """Return how well confidence tells the share of right labels.

    Args:
        scored: windows by view, `clean` among them.
        temperature: over 0.
        uncertain_below: a confidence under it is uncertain.

    Returns:
        Both values; expected calibration error of each view, without the temperature and with it; and of clean windows coverage
        and error, the share that is certain and how much of that is wrong.
    """
    result: dict[str, Any] = {"temperature": temperature, "uncertain_below": uncertain_below}
    for name, view in scored.items():
        errors = [
            metrics.measure_calibration_error(metrics.apply_softmax(view.logits, at), view.truth)
            for at in (1.0, temperature)
        ]
        result[f"ece_{name}"] = [round(error, 4) for error in errors]
    clean = scored[CLEAN.name]
    probabilities = metrics.apply_softmax(clean.logits, temperature)
    _, coverage, error = metrics.trace_risk_coverage(probabilities, clean.truth, np.array([uncertain_below]))[0]
    return {**result, "coverage": round(coverage, 4), "error": round(error, 4)}
