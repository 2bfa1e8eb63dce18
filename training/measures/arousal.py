"""The paper's arousal analysis (its Fig. 1): which errors stay among loud or among quiet emotions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HIGH = frozenset({"anger", "happiness"})
LOW = frozenset({"neutral", "sadness"})


@dataclass(frozen=True)
class Arousal:
    """Where errors go.

    Attributes:
        n_errors: all errors.
        within_high: errors from one high-arousal label to another, as a share of all errors.
        within_low: likewise for low arousal.
        across: errors that change the arousal, as a share of all errors.
        within: within_high + within_low.
        expected_within: what `within` would be if every error fell evenly on the other labels.
        accuracy: share of utterances whose arousal is right, whatever the label.
    """

    n_errors: int
    within_high: float
    within_low: float
    across: float
    within: float
    expected_within: float
    accuracy: float


def has_arousal(labels: tuple[str, ...]) -> bool:
    """Tell whether the analysis means anything: every label is of one of the two clusters, and both are there."""
    return set(labels) <= HIGH | LOW and bool(set(labels) & HIGH) and bool(set(labels) & LOW)


def analyse_arousal(confusion: NDArray[np.int64], labels: tuple[str, ...]) -> Arousal:
    """Part the errors of a confusion matrix by arousal.

    Args:
        confusion: int64 (n_labels, n_labels), rows are the truth.
        labels: for which `has_arousal` holds.

    Returns:
        Shares in [0, 1]; all 0 where there is no error.
    """
    is_high = np.array([label in HIGH for label in labels])
    errors = confusion - np.diag(np.diag(confusion))
    same = is_high[:, None] == is_high[None, :]
    n_errors = int(errors.sum())
    within_high = float(errors[np.ix_(is_high, is_high)].sum() / max(n_errors, 1))
    within_low = float(errors[np.ix_(~is_high, ~is_high)].sum() / max(n_errors, 1))
    # Of the other labels, this many share each true label's arousal.
    partners = (same.sum(axis=1) - 1) / max(len(labels) - 1, 1)
    return Arousal(
        n_errors,
        within_high,
        within_low,
        float(errors[~same].sum() / max(n_errors, 1)),
        within_high + within_low,
        float((errors.sum(axis=1) * partners).sum() / max(n_errors, 1)),
        float(confusion[same].sum() / max(int(confusion.sum()), 1)),
    )
