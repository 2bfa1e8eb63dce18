"""Join the scores of windows into those of a note, and name the label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class _Cut(Protocol):
    """A window, as far as its weight depends on it."""

    @property
    def new_speech_ms(self) -> int:
        """How much of its speech no earlier window had."""
        ...


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


KINDS: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {"mean": _mean}
"""What a manifest may name as `pooling.kind`: from the values and weights of windows to the value of the note."""
WEIGHTS: Mapping[str, Callable[[_Cut], float]] = {
    "new_speech_ms": lambda window: window.new_speech_ms,
    "equal": lambda _window: 1.0,
}
"""What a manifest may name as `pooling.weight`: from a window to its weight."""


def pool_scores(
    windows: Sequence[Mapping[str, float]], weights: Sequence[float], *, kind: str = "mean"
) -> dict[str, float]:
    """Join the probabilities of windows.

    The mean of probabilities ("sum rule": Kittler et al. 1998, "On combining classifiers") was never clearly beaten
    by the mean of logits on synthetic voice notes (November 2026). The result is divided by its sum, so that rounding
    does not add up.

    Args:
        windows: label to probability, at least one window, the same labels in each.
        weights: one for each window, 0 or more, not all 0.
        kind: one of `KINDS`.

    Returns:
        label to probability, summing to 1, in the order of the first window.
    """
    pooled = pool_dimensions(windows, weights, kind=kind)
    total = sum(pooled.values())
    return {label: score / total for label, score in pooled.items()}


def pool_dimensions(
    windows: Sequence[Mapping[str, float]], weights: Sequence[float], *, kind: str = "mean"
) -> dict[str, float]:
    """Join the dimensions of windows, with the weights of their scores.

    Args:
        windows: name to value, at least one window, the same names in each; none where the bundle has none.
        weights: one for each window, 0 or more, not all 0.
        kind: one of `KINDS`.

    Returns:
        name to value, in the order of the first window.
    """
    return {name: KINDS[kind]([window[name] for window in windows], weights) for name in windows[0]}


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
