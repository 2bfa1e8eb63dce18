"""Figures of one corpus with a baseline of one mix and size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.measures import metrics
from training.measures.predictions import Predictions

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """Figures of one corpus, mix and number of notes; all three ways judge the same notes.

    Attributes:
        corpus: its name.
        mix: of the baseline's notes.
        n_notes: of the baseline.
        n_judged: notes judged in each draw: those whose speaker has at least `n_notes` others.
        n_people: speakers, a speaker heard by several models counted for each.
        neutral_share: of the baseline's notes as they were drawn, 0 to 1; 0 without notes.
        recalls: mean over draws of the unweighted mean recall (UAR), 0 to 1: as it is, own baseline, own shrunk towards the tenant's.
        spreads: deviation of each over draws (n - 1); 0 with one draw.
        calibration_errors: ECE of each, mean over draws.
    """

    corpus: str
    mix: str
    n_notes: int
    n_judged: int
    n_people: int
    neutral_share: float
    recalls: tuple[float, float, float]
    spreads: tuple[float, float, float]
    calibration_errors: tuple[float, float, float]


@dataclass
class Judged:
    """What one draw gave for its notes, row by row."""

    rows: list[int] = field(default_factory=list)
    own: list[Array] = field(default_factory=list)
    shared: list[Array] = field(default_factory=list)
    neutral: list[float] = field(default_factory=list)


def sum_up(
    name: str, predictions: Predictions, people: list[Rows], *, mix: str, size: int, draws: list[Judged]
) -> Outcome:
    """Return the figures of one mix and size over all draws, each with at least one judged note."""
    figures = np.array([list(_measure_draw(predictions, draw)) for draw in draws])  # draw, way, recall and ECE
    means = figures.mean(axis=0)
    deviations = figures[:, :, 0].std(axis=0, ddof=1) if len(draws) > 1 else np.zeros(3)
    rows = set(draws[0].rows)
    as_it_is, own, shared = means[:, 0].tolist()
    spread_as_it_is, spread_own, spread_shared = deviations.tolist()
    ece_as_it_is, ece_own, ece_shared = means[:, 1].tolist()
    return Outcome(
        corpus=name,
        mix=mix,
        n_notes=size,
        n_judged=len(rows),
        n_people=sum(not rows.isdisjoint(person.tolist()) for person in people),
        neutral_share=float(np.mean([share for draw in draws for share in draw.neutral])),
        recalls=(as_it_is, own, shared),
        spreads=(spread_as_it_is, spread_own, spread_shared),
        calibration_errors=(ece_as_it_is, ece_own, ece_shared),
    )


def _measure_draw(predictions: Predictions, draw: Judged) -> Iterator[tuple[float, float]]:
    truth = predictions.truth[draw.rows]
    for scores in (predictions.probabilities[draw.rows], np.array(draw.own), np.array(draw.shared)):
        confusion = metrics.count_confusion(truth, scores.argmax(axis=1), len(predictions.labels))
        yield metrics.measure_unweighted_accuracy(confusion), metrics.measure_calibration_error(scores, truth)
