"""A person's earlier notes, as far as a baseline needs them: log scores, and what each note weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trends.rule import BaselineRule

SUM_TOLERANCE = 1e-3  # scores are float32 and may have been printed with six digits


@dataclass(frozen=True, eq=False)
class Notes:
    """Earlier notes of one person and one model, in an order that does not depend on how they came.

    Attributes:
        log_scores: float64 (n_notes, n_labels), natural logarithms of floored scores.
        weights: float64 (n_notes,), over 0 and at most 1: 1 for a note that is new.
    """

    log_scores: NDArray[np.float64]
    weights: NDArray[np.float64]


def collect_notes(
    scores: ArrayLike, rule: BaselineRule, *, n_labels: int, ages_days: Sequence[float] | None = None
) -> Notes:
    """Collect a person's notes; their order changes not one bit of what is estimated from them.

    A note weighs ``2 ** (-age / half_life)``: exponential forgetting (Brown 1956, "Exponential smoothing for predicting demand").

    Args:
        scores: (n_notes, n_labels) in [0, 1], each row sums to 1; no rows are allowed.
        rule: whose floor and half life are taken.
        n_labels: of the model.
        ages_days: how much older each note is than the one to judge, 0 or more; not needed where the rule has no half life.

    Raises:
        ValueError: the shape is another, a row is no distribution, or ages lack, are too few or too many, or are not allowed.

    Example:
        >>> rule = BaselineRule({"neutral": 0.7, "sadness": 0.3}, half_life_days=30)
        >>> notes = collect_notes([[1.0, 0.0], [0.5, 0.5]], rule, n_labels=2, ages_days=[60, 0])
        >>> notes.log_scores.round(2).tolist(), notes.weights.tolist()
        ([[0.0, -6.91], [-0.69, -0.69]], [0.25, 1.0])
    """
    logs = floor_log_scores(scores, rule, n_labels=n_labels)
    weights = _weigh_ages(ages_days, rule, n_notes=len(logs))
    order = np.lexsort((weights, *logs.T))
    return Notes(logs[order], weights[order])


def floor_log_scores(scores: ArrayLike, rule: BaselineRule, *, n_labels: int) -> NDArray[np.float64]:
    """Return natural logarithms of floored scores, float64 (n_notes, n_labels), all finite.

    Raises:
        ValueError: the shape is another, or a row is no distribution.
    """
    rows = np.asarray(scores, dtype=np.float64)
    if rows.size == 0:
        rows = rows.reshape(0, n_labels)
    if rows.ndim != 2 or rows.shape[1] != n_labels:  # noqa: PLR2004 - notes and labels
        raise ValueError(f"scores have shape {rows.shape}; needed is (n_notes, {n_labels})")
    is_good = (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) <= SUM_TOLERANCE)
    if not is_good.all():
        raise ValueError(f"scores {rows[int(np.argmin(is_good))].tolist()} are no distribution: 0 to 1, sum 1")
    return np.log(np.maximum(rows, rule.floor))


def _weigh_ages(ages_days: Sequence[float] | None, rule: BaselineRule, *, n_notes: int) -> NDArray[np.float64]:
    if ages_days is None:
        if rule.half_life_days is not None and n_notes:
            raise ValueError(f"{n_notes} notes have no ages; a half life of {rule.half_life_days} days needs them")
        return np.ones(n_notes)
    ages = np.asarray(ages_days, dtype=np.float64)
    if ages.shape != (n_notes,):
        raise ValueError(f"ages have shape {ages.shape}; needed is one of each of {n_notes} notes")
    strange = ages[~(np.isfinite(ages) & (ages >= 0))]
    if strange.size:
        raise ValueError(f"age is {strange[0]} days; allowed are finite values from 0")
    return np.ones(n_notes) if rule.half_life_days is None else np.exp2(-ages / rule.half_life_days)
