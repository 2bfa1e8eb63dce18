"""Join what windows say into what a note says, and name the label; never changes a window's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def pool_scores(windows: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """Average the probabilities of windows.

    The mean of probabilities ("sum rule": Kittler et al. 1998, "On combining classifiers") was never clearly beaten
    by the mean of logits on synthetic voice notes (November 2026). The result is divided by its sum, so that rounding
    does not add up.

    Args:
        windows: label to probability, at least one window, the same labels in each.
        weights: one for each window, 0 or more, not all 0.

    Returns:
        label to probability, summing to 1, in the order of the first window.
    """
    pooled = {
        label: sum(weight * window[label] for window, weight in zip(windows, weights, strict=True))
        for label in windows[0]
    }
    total = sum(pooled.values())
    return {label: score / total for label, score in pooled.items()}


def pool_dimensions(windows: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    """Average what the dimensions of windows say, with the weights of their scores.

    Args:
        windows: name to value, at least one window, the same names in each; none where the bundle has none.
        weights: one for each window, 0 or more, not all 0.

    Returns:
        name to mean, in the order of the first window.
    """
    total = sum(weights)
    return {
        name: sum(weight * window[name] for window, weight in zip(windows, weights, strict=True)) / total
        for name in windows[0]
    }


def name_label(scores: Mapping[str, float], uncertain_below: float) -> tuple[str, float, bool]:
    """Name the label of the highest score.

    Args:
        scores: label to probability; of equal ones the first wins.
        uncertain_below: a confidence under this is uncertain, 0 to 1.

    Returns:
        The label, its score as the confidence, and whether that is uncertain.
    """
    label = max(scores, key=lambda candidate: scores[candidate])
    return label, scores[label], scores[label] < uncertain_below
