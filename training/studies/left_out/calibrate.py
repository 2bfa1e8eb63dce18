"""One temperature and one limit of uncertainty for a bundle, chosen on corpora that it was not trained on.

Temperature: the T over which scores are sharpened or flattened (Guo et al. 2017, "On Calibration of Modern Neural Networks"),
of least log loss, each labelled corpus with equal weight; windows are changed and pooled again, as a graph with that
temperature would have it. What nobody rated has no truth, so ordinary speech has no part in it.

Limit: the lowest confidence from which on

- at most `MAX_WRONG` of ordinary speech is called something else than neutral with certainty, the mean over sets, and
- at most `max_error` of what is labelled with certainty is wrong, the mean over labelled corpora.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measures import metrics
from training.studies.left_out.measure import NEUTRAL
from training.studies.left_out.notes import weigh_windows
from training.studies.left_out.scored import ScoredCorpus

Array = NDArray[np.float64]
MAX_WRONG = 0.04
FLOOR = 1e-12
POOLING_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """A temperature and a limit.

    Attributes:
        temperature: by which the logarithms of a bundle's scores are divided, on top of its own; 1 changes nothing.
        uncertain_below: None where no limit keeps both bounds.
    """

    temperature: float
    uncertain_below: float | None


@dataclass(frozen=True)
class CalibratedFigures:
    """Figures of one corpus with a calibration.

    Attributes:
        name: of the corpus.
        calibration: that it is judged with.
        calibration_error: ECE; None for ordinary speech, which has no truth.
        coverage: share of the scored that is certain; None without a limit.
        error: share of them that is wrong; of ordinary speech, that is not called neutral. None where nothing is certain.
        wrong: share of the scored that is certain and wrong.
    """

    name: str
    calibration: Calibration
    calibration_error: float | None
    coverage: float | None
    error: float | None
    wrong: float | None


@dataclass(frozen=True)
class CalibrationReport:
    """What was chosen, and whether it holds on corpora that it was not chosen on.

    Attributes:
        max_error: bound of the error of what is certain.
        chosen: on all corpora.
        inside: figures of each corpus with it.
        outside: figures of each corpus with what all the others choose; empty where no other labelled corpus is left.
    """

    max_error: float
    chosen: Calibration
    inside: tuple[CalibratedFigures, ...]
    outside: tuple[CalibratedFigures, ...]


def calibrate(corpora: Sequence[ScoredCorpus], *, max_error: float) -> CalibrationReport:
    """Choose temperature and limit, once on all corpora and once for each without it.

    Args:
        corpora: labelled ones and sets of ordinary speech, on none of which the bundle was trained.
        max_error: in (0, 1).

    Raises:
        ValueError: the bound is out of range, no labelled corpus has scores, or the bundle pools windows in another way than this.
    """
    if not 0.0 < max_error < 1.0:
        raise ValueError(f"an error of certain labels of at most {max_error}; allowed is over 0 and under 1")
    used = [one for one in corpora if one.is_scored.any()]
    if all(one.is_assumed for one in used):
        raise ValueError("0 labelled corpora that the bundle was not trained on; a temperature needs at least 1")
    for one in used:
        if not np.allclose(apply_temperature(one, 1.0), one.probabilities, rtol=0.0, atol=POOLING_TOLERANCE):
            raise ValueError(
                f"windows of {one.name} do not pool to the scores of their notes; allowed is a bundle whose windows do not overlap "
                "(hop_ms = window_ms) and whose pooling.weight is new_speech_ms"
            )
    chosen = choose_calibration(used, max_error=max_error)
    outside = []
    for held in used:
        others = [one for one in used if one is not held]
        if not all(one.is_assumed for one in others):
            outside.append(_measure(held, choose_calibration(others, max_error=max_error)))
    return CalibrationReport(max_error, chosen, tuple(_measure(one, chosen) for one in used), tuple(outside))


def choose_calibration(corpora: Sequence[ScoredCorpus], *, max_error: float) -> Calibration:
    """Choose a temperature on the labelled corpora, and then a limit on all.

    Args:
        corpora: with scores, at least one of them labelled.
        max_error: bound of the mean error of certain labels.
    """
    labelled = [one for one in corpora if not one.is_assumed]
    temperature = round(fit_temperature(labelled), 3)
    return Calibration(temperature, choose_limit(corpora, temperature=temperature, max_error=max_error))


def fit_temperature(corpora: Sequence[ScoredCorpus]) -> float:
    """Return the temperature of least mean log loss over corpora."""
    truths = [one.truth[one.is_scored] for one in corpora]
    windows = [_line_up(one) for one in corpora]

    def lose(temperature: float) -> float:
        rows = [_pool(one, temperature) for one in windows]
        return float(np.mean([metrics.measure_log_loss(*pair) for pair in zip(rows, truths, strict=True)]))

    return metrics.find_temperature(lose)


def choose_limit(corpora: Sequence[ScoredCorpus], *, temperature: float, max_error: float) -> float | None:
    """Return the lowest limit from which on both bounds hold; None where the highest keeps them not."""
    rows = [(one.is_assumed, *_find_certainty(one, temperature)) for one in corpora]
    chosen = None
    for limit in metrics.THRESHOLDS[::-1].tolist():
        wrong = [float((is_wrong & (sure >= limit)).mean()) for is_assumed, sure, is_wrong in rows if is_assumed]
        errors = [
            float(is_wrong[sure >= limit].mean())
            for is_assumed, sure, is_wrong in rows
            if not is_assumed and (sure >= limit).any()
        ]
        if (wrong and np.mean(wrong) > MAX_WRONG) or (errors and np.mean(errors) > max_error):
            break
        chosen = limit
    return chosen


def apply_temperature(scored: ScoredCorpus, temperature: float) -> Array:
    """Return the scores of notes whose windows were divided by a temperature, float64 (n_scored, n_labels)."""
    return _pool(_line_up(scored), temperature)


@dataclass(frozen=True)
class _Windows:
    """Windows of all scored notes of a corpus, one note after another.

    Attributes:
        logs: of their scores, float64 (n_windows, n_labels).
        weights: in their note, float64 (n_windows,), in ms.
        starts: the place of each note's first window, int64 (n_scored,).
    """

    logs: Array
    weights: Array
    starts: NDArray[np.int64]


def _line_up(scored: ScoredCorpus) -> _Windows:
    notes = [note for note in scored.notes if note.unscored is None]
    n_windows = np.array([len(note.windows) for note in notes])
    return _Windows(
        logs=np.log(np.maximum([window for note in notes for window in note.windows], FLOOR)),
        weights=np.concatenate([weigh_windows(note) for note in notes]),
        starts=np.concatenate([[0], np.cumsum(n_windows)[:-1]]),
    )


def _pool(windows: _Windows, temperature: float) -> Array:
    weighed = metrics.apply_softmax(windows.logs, temperature) * windows.weights[:, np.newaxis]
    summed = np.add.reduceat(weighed, windows.starts, axis=0)
    return np.asarray(summed / summed.sum(axis=1, keepdims=True), dtype=np.float64)


def _find_certainty(scored: ScoredCorpus, temperature: float) -> tuple[Array, NDArray[np.bool_]]:
    """Return confidence, and whether the label is wrong: where nobody rated, whether it is not neutral."""
    rows = apply_temperature(scored, temperature)
    truth = scored.labels.index(NEUTRAL) if scored.is_assumed else scored.truth[scored.is_scored]
    return rows.max(axis=1), rows.argmax(axis=1) != truth


def _measure(scored: ScoredCorpus, calibration: Calibration) -> CalibratedFigures:
    rows = apply_temperature(scored, calibration.temperature)
    sure, is_wrong = _find_certainty(scored, calibration.temperature)
    error = None if scored.is_assumed else metrics.measure_calibration_error(rows, scored.truth[scored.is_scored])
    if calibration.uncertain_below is None:
        return CalibratedFigures(scored.name, calibration, error, None, None, None)
    certain = sure >= calibration.uncertain_below
    return CalibratedFigures(
        scored.name,
        calibration,
        error,
        coverage=float(certain.mean()),
        error=float(is_wrong[certain].mean()) if certain.any() else None,
        wrong=float((is_wrong & certain).mean()),
    )
