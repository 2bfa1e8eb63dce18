"""Figures of one corpus with a baseline of one mix, size and rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measures import metrics
from training.measures.predictions import Predictions
from training.studies.personal.draws import NEUTRAL
from trends import BaselineRule

Array = NDArray[np.float64]
Rows = NDArray[np.int64]
WAYS = ("as it is", "own", "own and tenant")
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Outcome:
    """Figures of one corpus, mix, number of notes and rule; all three ways judge the same notes.

    Attributes:
        corpus: its name.
        rule: version of the rule.
        mix: of the baseline's notes.
        n_notes: of the baseline.
        n_judged: notes judged in each draw: those whose speaker has at least `n_notes` others.
        n_people: speakers, a speaker heard by several models counted for each.
        neutral_share: of the baseline's notes as they were drawn, 0 to 1; 0 without notes.
        recalls: mean over draws of the unweighted mean recall (UAR), 0 to 1: as it is, own baseline, own shrunk towards the tenant's.
        spreads: deviation of each over draws (n - 1); 0 with one draw.
        calibration_errors: ECE of each, mean over draws.
        calm: of the neutral notes, the share called neutral, each way; 0 where there is none.
        calm_certain_wrong: of the neutral notes, the share called something else with certainty, each way.
        coverages: share of the judged notes that are labelled with certainty, each way, mean over draws.
        errors: share of wrong labels among those, each way, mean over draws; 0 where there is none.
    """

    corpus: str
    rule: int
    mix: str
    n_notes: int
    n_judged: int
    n_people: int
    neutral_share: float
    recalls: Triple
    spreads: Triple
    calibration_errors: Triple
    calm: Triple
    calm_certain_wrong: Triple
    coverages: Triple
    errors: Triple


@dataclass(frozen=True)
class Judged:
    """What one draw and one rule gave.

    Attributes:
        rows: judged notes, int64 (n,).
        own: relative scores with the person's own baseline, float64 (n, n_labels).
        shared: the same, shrunk towards the tenant's.
        neutral_share: of the baselines' notes.
    """

    rows: Rows
    own: Array
    shared: Array
    neutral_share: float


def sum_up(
    name: str,
    predictions: Predictions,
    *,
    rule: BaselineRule,
    mix: str,
    size: int,
    draws: Sequence[Judged],
    n_people: int,
    uncertain_below: float,
) -> Outcome:
    """Return the figures of one mix, size and rule over all draws, each with the same judged notes, at least one.

    Args:
        name: of the corpus.
        predictions: of it.
        rule: that the draws were judged by.
        mix: of the baselines.
        size: of the baselines.
        draws: what they gave.
        n_people: whose notes were judged.
        uncertain_below: an absolute confidence under it is uncertain; relative ones have the rule's.
    """
    limits = (uncertain_below, rule.uncertain_below, rule.uncertain_below)
    figures = np.array(
        [
            [
                _measure(scores, predictions.truth[draw.rows], predictions.labels, limit)
                for scores, limit in zip(
                    (predictions.probabilities[draw.rows], draw.own, draw.shared), limits, strict=True
                )
            ]
            for draw in draws
        ]
    )  # draw, way, figure
    means = figures.mean(axis=0)
    deviations = figures[:, :, 0].std(axis=0, ddof=1) if len(draws) > 1 else np.zeros(len(WAYS))
    return Outcome(
        corpus=name,
        rule=rule.version,
        mix=mix,
        n_notes=size,
        n_judged=len(draws[0].rows),
        n_people=n_people,
        neutral_share=float(np.mean([draw.neutral_share for draw in draws])),
        recalls=_as_triple(means[:, 0]),
        spreads=_as_triple(deviations),
        calibration_errors=_as_triple(means[:, 1]),
        calm=_as_triple(means[:, 2]),
        calm_certain_wrong=_as_triple(means[:, 3]),
        coverages=_as_triple(means[:, 4]),
        errors=_as_triple(means[:, 5]),
    )


def _measure(scores: Array, truth: Rows, labels: tuple[str, ...], uncertain_below: float) -> tuple[float, ...]:
    guess = scores.argmax(axis=1)
    confusion = metrics.count_confusion(truth, guess, len(labels))
    recall, error = metrics.measure_unweighted_accuracy(confusion), metrics.measure_calibration_error(scores, truth)
    _, coverage, wrong = metrics.trace_risk_coverage(scores, truth, np.array([uncertain_below]))[0]
    is_calm = truth == (labels.index(NEUTRAL) if NEUTRAL in labels else -1)
    if not is_calm.any():
        return recall, error, 0.0, 0.0, coverage, wrong
    is_right = guess[is_calm] == truth[is_calm]
    is_certain = scores[is_calm].max(axis=1) >= uncertain_below
    return recall, error, float(is_right.mean()), float((is_certain & ~is_right).mean()), coverage, wrong


def _as_triple(values: Array) -> Triple:
    first, second, third = values.tolist()
    return first, second, third
