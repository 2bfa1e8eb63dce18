"""Mean log scores of a model by true label: what its scores look like where nothing is shifted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trends.numbers import read_number


@dataclass(frozen=True)
class Reference:
    """Mean log scores of the model over labelled recordings of training, by true label.

    Attributes:
        labels: in the order of the model's scores, at least two, each once.
        means: one row a true label, one column a score: natural logarithms of floored scores, at most 0.

    Raises:
        ValueError: labels repeat, the table is not square, a mean is not finite or above 0, or the margin is not above 0.
    """

    labels: tuple[str, ...]
    means: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Check once, so that no arithmetic has to."""
        n_labels = len(self.labels)
        if n_labels < 2 or len(set(self.labels)) != n_labels:  # noqa: PLR2004 - with one label nothing is relative
            raise ValueError(f"labels of the reference are {list(self.labels)}; needed are at least two, each once")
        if [len(row) for row in self.means] != [n_labels] * n_labels:
            sizes = [len(row) for row in self.means]
            raise ValueError(f"reference has rows of {sizes} means; needed are {n_labels} rows of {n_labels}")
        strange = [mean for row in self.means for mean in row if not (math.isfinite(mean) and mean <= 0)]
        if strange:
            raise ValueError(f"mean log score {strange[0]} in the reference; allowed are finite values up to 0")
        if self.margin <= 0:
            raise ValueError(f"margin of the reference is {self.margin:.3g}; needed is over 0: true labels stand out")

    @property
    def margin(self) -> float:
        """By how much the true label's log score is above the mean of the others, the mean over labels.

        Example:
            >>> round(Reference(("neutral", "sadness"), ((-0.1, -2.5), (-2.0, -0.2))).margin, 6)
            2.1
        """
        n_labels = len(self.labels)
        own = math.fsum(self.means[label][label] for label in range(n_labels))
        others = math.fsum(mean for row in self.means for mean in row) - own
        return (own - others / (n_labels - 1)) / n_labels

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Return it as a manifest keeps it: true label to score's label to mean."""
        return {
            truth: dict(zip(self.labels, row, strict=True)) for truth, row in zip(self.labels, self.means, strict=True)
        }


def read_reference(raw: Mapping[str, Any], *, labels: Sequence[str]) -> Reference:
    """Return the reference that a manifest holds.

    Args:
        raw: true label to score's label to mean log score.
        labels: of the model, in the order of its scores.

    Raises:
        ValueError: rows or columns are not exactly the labels, or a mean is not allowed.

    Example:
        >>> reference = Reference(("neutral", "sadness"), ((-0.1, -2.5), (-2.0, -0.2)))
        >>> read_reference(reference.as_dict(), labels=reference.labels) == reference
        True
    """
    if set(raw) != set(labels):
        raise ValueError(f"reference has rows {sorted(raw)}; needed are the labels {sorted(labels)}")
    for truth, row in raw.items():
        if not isinstance(row, Mapping) or set(row) != set(labels):
            raise ValueError(f"row {truth} of the reference is {row!r}; needed is a mean for each of {sorted(labels)}")
    means = tuple(
        tuple(read_number(f"mean of {label} at {truth}", raw[truth][label]) for label in labels) for truth in labels
    )
    return Reference(tuple(labels), means)
