"""Figures of one bundle on one corpus: labelled recordings by their labels, ordinary speech by how often it is called neutral."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.measures import metrics
from training.measures.bootstrap import Interval, draw_confusions, measure_interval
from training.studies.left_out.baseline import KnownBaseline
from training.studies.left_out.figures import BaselineFigures, LabelledFigures, OrdinaryFigures, Shares
from training.studies.left_out.notes import Unscored
from training.studies.left_out.scored import ScoredCorpus
from training.studies.personal import Protocol, measure_corpus

N_NOTES = 10
MIX = "70 % neutral"
NEUTRAL = "neutral"
WORD_MS = (400, 1200)
SEED = 0


def measure_labelled(
    scored: ScoredCorpus,
    *,
    uncertain_below: float,
    baseline: KnownBaseline | None,
    n_draws: int,
) -> LabelledFigures:
    """Measure a bundle on a labelled corpus.

    Args:
        scored: rated recordings of one corpus.
        uncertain_below: a confidence under it is uncertain.
        baseline: of the bundle; None leaves it out.
        n_draws: of baselines, 1 or more.

    Raises:
        ValueError: the corpus is ordinary speech that nobody rated, or the reference has other labels.
    """
    if scored.is_assumed:
        raise ValueError(f"{scored.name} is ordinary speech that nobody rated; allowed is a labelled corpus")
    truth = scored.truth[scored.is_scored]
    certain = scored.probabilities.max(axis=1, initial=0.0) >= uncertain_below
    is_wrong = scored.probabilities.argmax(axis=1) != truth
    by_speaker = _count_by_speaker(scored)
    confusion = by_speaker.sum(axis=0)
    recalls = metrics.measure_recall(confusion)
    return LabelledFigures(
        name=scored.name,
        is_trained=scored.is_trained,
        n=len(scored.notes),
        n_speakers=scored.count_speakers(),
        n_unscored=int((~scored.is_scored).sum()),
        recall=metrics.measure_unweighted_accuracy(confusion),
        recall_of_scored=_measure_recall_of_scored(confusion),
        interval=_draw_interval(scored, by_speaker),
        recalls={label: float(recalls[k]) for k, label in enumerate(scored.labels) if confusion[k].any()},
        baseline=_measure_baseline(scored, baseline, n_draws=n_draws),
        calibration_error=metrics.measure_calibration_error(scored.probabilities, truth) if truth.size else None,
        coverage=float(certain.sum() / len(scored.notes)),
        error=float(is_wrong[certain].mean()) if certain.any() else None,
    )


def measure_ordinary(scored: ScoredCorpus, *, uncertain_below: float) -> OrdinaryFigures:
    """Measure a bundle on ordinary speech.

    Args:
        scored: recordings of one set that nobody rated.
        uncertain_below: a confidence under it is uncertain.
    """
    low_ms, high_ms = WORD_MS
    is_word = np.array([low_ms <= note.duration_ms <= high_ms for note in scored.notes])
    everything = np.ones(len(scored.notes), dtype=np.bool_)
    return OrdinaryFigures(
        name=scored.name,
        is_trained=scored.is_trained,
        n_speakers=scored.count_speakers(),
        everything=_share(scored, everything, uncertain_below=uncertain_below),
        words=_share(scored, is_word, uncertain_below=uncertain_below),
    )


def _count_by_speaker(scored: ScoredCorpus) -> NDArray[np.int64]:
    """Return a confusion matrix of each speaker, with a last column (and an empty last row) of what has no scores."""
    n_labels = len(scored.labels)
    guess = np.full(len(scored.notes), n_labels, dtype=np.int64)
    guess[scored.is_scored] = scored.probabilities.argmax(axis=1)
    tables = [
        metrics.count_confusion(scored.truth[mine], guess[mine], n_labels + 1)
        for mine in (scored.speakers == speaker for speaker in np.unique(scored.speakers))
    ]
    return np.stack(tables)


def _measure_recall_of_scored(confusion: NDArray[np.int64]) -> float:
    """Return the UAR of a matrix without its last row and column."""
    scored = confusion[:-1, :-1]
    return metrics.measure_unweighted_accuracy(scored) if scored.any() else 0.0


def _draw_interval(scored: ScoredCorpus, by_speaker: NDArray[np.int64]) -> Interval | None:
    if scored.count_speakers() is None:
        return None
    return measure_interval(draw_confusions(by_speaker, seed=SEED), metrics.measure_unweighted_accuracy)


def _measure_baseline(scored: ScoredCorpus, baseline: KnownBaseline | None, *, n_draws: int) -> BaselineFigures | None:
    if baseline is None or not scored.is_scored.any() or scored.count_speakers() is None:
        return None
    outcomes = measure_corpus(
        scored.name,
        scored.as_predictions(),
        reference=baseline.reference,
        rules=baseline.rules,
        protocol=Protocol(mixes=(MIX,), n_notes=(N_NOTES,), n_seeds=n_draws, seed=SEED),
    )
    if not outcomes:
        return None
    middle, own = outcomes[0], outcomes[1] if baseline.own is not None else None
    return BaselineFigures(
        n_judged=middle.n_judged,
        as_it_is=middle.recalls[0],
        middle=middle.recalls[1],
        middle_spread=middle.spreads[1],
        own=None if own is None else own.recalls[1],
        own_spread=None if own is None else own.spreads[1],
        calibration_error=None if own is None else own.calibration_errors[1],
        coverage=None if own is None else own.coverages[1],
        error=None if own is None else own.errors[1],
    )


def _share(scored: ScoredCorpus, is_taken: NDArray[np.bool_], *, uncertain_below: float) -> Shares:
    probabilities = scored.probabilities[is_taken[scored.is_scored]]
    certain = probabilities.max(axis=1, initial=0.0) >= uncertain_below
    neutral = probabilities.argmax(axis=1) == scored.labels.index(NEUTRAL)
    reasons = [note.unscored for note, taken in zip(scored.notes, is_taken, strict=True) if taken]
    return Shares(
        n=len(reasons),
        n_scored=len(probabilities),
        neutral=_average(neutral),
        uncertain=_average(~certain),
        wrong=_average(certain & ~neutral),
        vad=_average_reason(reasons, Unscored.VAD),
        short=_average_reason(reasons, Unscored.SHORT),
        gate=_average_reason(reasons, Unscored.GATE),
    )


def _average(flags: NDArray[np.bool_]) -> float | None:
    return float(flags.mean()) if flags.size else None


def _average_reason(reasons: Sequence[Unscored | None], wanted: Unscored) -> float | None:
    return _average(np.array([reason is wanted for reason in reasons], dtype=np.bool_))
