"""From cached windows to notes: scores, pooling, the label of a note, and what else a note came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS
from training.measures import metrics
from training.measures.bootstrap import bound_by_speaker
from training.nets.heads import compute_logits
from training.studies.voice_notes.encode import Encoded
from training.studies.voice_notes.tasks import MIXED, Task, list_tasks
from worker.scoring.pooling import pool_scores

Array = NDArray[np.float64]
GATE_THRESHOLD = 0.5  # The shipped manifest's.
MIN_TRUE_MS = 500
N_DRAWS = 1000
POOLINGS = ("mean", "logit", "speech")
NO_SCORE = -1
T = TypeVar("T")


@dataclass(frozen=True)
class Judged:
    """The windows of one speaker with their scores.

    Attributes:
        encoded: the windows.
        probabilities: float64 (n_windows, 4).
        speech: float64 (n_windows,), the gate's probability of speech.
    """

    encoded: Encoded
    probabilities: Array
    speech: Array


@dataclass(frozen=True)
class Outcome:
    """What one note of one emotion came to.

    Attributes:
        speaker: who spoke it.
        truth: index of the acted label.
        guess: index of the highest score, or -1 without any score.
        jitter: mean over steps between windows of half the L1 distance of their scores, 0 to 1; NaN under two windows.
    """

    speaker: str
    truth: int
    guess: int
    jitter: float


@dataclass(frozen=True)
class MixedOutcome:
    """What one mixed note came to.

    Attributes:
        speaker: who spoke it.
        n_right: windows with at least half a second of speech that are called by the label that most of it has.
        n_windows: how many such windows there are.
        n_called: all windows by what they are called.
        share_error: half the L1 distance of pooled scores and true shares of speaking time, 0 to 1.
        jitter: as in `Outcome`.
    """

    speaker: str
    n_right: int
    n_windows: int
    n_called: tuple[int, ...]
    share_error: float
    jitter: float


@dataclass(frozen=True)
class WindowRow:
    """One window and the truth about it.

    Attributes:
        speaker: who speaks in it.
        task: how it was cut.
        guess: index of the highest score.
        truth: index of the label with most true speech, or -1 without any.
        speech_share: true speech, 0 to 1 of its length.
        is_passed: whether the model's gate calls it speech.
    """

    speaker: str
    task: Task
    guess: int
    truth: int
    speech_share: float
    is_passed: bool


def judge_speakers(
    encoded: Mapping[str, Encoded], heads: Mapping[str, Any], *, temperature: float
) -> dict[str, Judged]:
    """Score every speaker's windows.

    Args:
        encoded: windows by speaker.
        heads: by speaker, the emotion head that belongs to the encoder and was not trained on the speaker either.
        temperature: that the logits are divided by.
    """
    judged: dict[str, Judged] = {}
    for speaker, item in encoded.items():
        probabilities = metrics.apply_softmax(compute_logits(heads[speaker], item.statistics), temperature)
        judged[speaker] = Judged(item, probabilities[item.row], item.speech[item.row])
    return judged


def pool_windows(probabilities: Array, weights: Array, pooling: str) -> Array:
    """Pool the windows of a note, those of `mean` and `speech` as serving does.

    Args:
        probabilities: float64 (n_windows, 4).
        weights: float64 (n_windows,), 0 or more; used by `speech` only, and not where all are 0.
        pooling: one of `POOLINGS`: mean probability, mean log probability, probability weighted by seconds of speech.

    Returns:
        float64 (4,), summing to 1, or zeros without a window.
    """
    if not len(probabilities):
        return np.zeros(len(LABELS))
    if pooling == "logit":
        logits = np.log(np.maximum(probabilities, 1e-12)).mean(axis=0)
        return np.asarray(metrics.apply_softmax(logits[None])[0])
    is_weighted = pooling == "speech" and weights.sum() > 0.0
    used = weights if is_weighted else np.ones(len(probabilities))
    rows = [dict(zip(LABELS, row, strict=True)) for row in probabilities.tolist()]
    return np.array([*pool_scores(rows, used.tolist()).values()])


def measure_jitter(probabilities: Array) -> float:
    """Return the mean half L1 distance between successive windows, float64 (n_windows, 4); NaN for fewer than two."""
    if len(probabilities) < 2:  # noqa: PLR2004 - a step needs two
        return float("nan")
    return float(np.abs(np.diff(probabilities, axis=0)).sum(axis=1).mean() / 2.0)


def collect_outcomes(
    judged: Mapping[str, Judged], *, played: str, finder: str, window_ms: int, pooling: str, is_gated: bool = False
) -> list[Outcome]:
    """Return the outcome of every note of one emotion that was played and cut in this way.

    Args:
        judged: scores by speaker.
        played: as in `Task`.
        finder: as in `Task`.
        window_ms: as in `Task`.
        pooling: one of `POOLINGS`.
        is_gated: leave windows out that the model's own gate calls no speech.
    """
    outcomes: list[Outcome] = []
    for speaker, item in judged.items():
        for index, task in enumerate(list_tasks()):
            if (task.played, task.finder, task.window_ms) != (played, finder, window_ms) or task.emotion == MIXED:
                continue
            chosen = item.encoded.task == index
            if is_gated:
                chosen &= item.speech >= GATE_THRESHOLD
            probabilities = item.probabilities[chosen]
            # Without a detector in front, our detector still says how much speech a window holds.
            weights = item.encoded.window_ms[chosen, 2 if finder == "none" else 1].astype(np.float64)
            scores = pool_windows(probabilities, weights, pooling)
            guess = int(scores.argmax()) if scores.any() else NO_SCORE
            outcomes.append(Outcome(speaker, LABELS.index(task.emotion), guess, measure_jitter(probabilities)))
    return outcomes


def collect_mixed(judged: Mapping[str, Judged], finder: str, window_ms: int) -> list[MixedOutcome]:
    """Return the outcome of every mixed note."""
    outcomes: list[MixedOutcome] = []
    for speaker, item in judged.items():
        for index, task in enumerate(list_tasks()):
            if (task.emotion, task.finder, task.window_ms) != (MIXED, finder, window_ms):
                continue
            chosen = item.encoded.task == index
            probabilities, true_ms = item.probabilities[chosen], item.encoded.true_ms[chosen]
            guess = probabilities.argmax(axis=1)
            is_spoken = true_ms.sum(axis=1) >= MIN_TRUE_MS
            # The truth is that of the oracle's windows: what a detector drops was spoken all the same.
            whole = item.encoded.true_ms[item.encoded.task == _find_oracle(task)].sum(axis=0)
            error = np.abs(probabilities.mean(axis=0) - whole / whole.sum()).sum() / 2 if chosen.any() else 1.0
            outcomes.append(
                MixedOutcome(
                    speaker,
                    int((guess == true_ms.argmax(axis=1))[is_spoken].sum()),
                    int(is_spoken.sum()),
                    tuple(np.bincount(guess, minlength=len(LABELS)).tolist()),
                    float(error),
                    measure_jitter(probabilities),
                )
            )
    return outcomes


def _find_oracle(task: Task) -> int:
    same = (MIXED, task.turn, "oracle")
    return [(other.emotion, other.turn, other.finder) for other in list_tasks()].index(same)


def list_windows(judged: Mapping[str, Judged], finder: str) -> list[WindowRow]:
    """List all windows of a way of finding speech."""
    tasks, rows = list_tasks(), list[WindowRow]()
    for speaker, item in judged.items():
        for i in np.flatnonzero([tasks[index].finder == finder for index in item.encoded.task]):
            true_ms = item.encoded.true_ms[i]
            truth = int(true_ms.argmax()) if true_ms.any() else NO_SCORE
            share = float(true_ms.sum() / item.encoded.window_ms[i, 0])
            guess, is_passed = int(item.probabilities[i].argmax()), bool(item.speech[i] >= GATE_THRESHOLD)
            rows.append(WindowRow(speaker, tasks[item.encoded.task[i]], guess, truth, share, is_passed))
    return rows


def measure_ua(outcomes: Sequence[Outcome]) -> float:
    """Return the mean recall over the labels that occur; a note without a score is missed."""
    truth, guess = np.array([o.truth for o in outcomes]), np.array([o.guess for o in outcomes])
    return float(np.mean([(guess[truth == label] == label).mean() for label in np.unique(truth)]))


def measure_share(outcomes: Sequence[Outcome], label: int) -> float:
    """Return the share of notes that are called by a label, or by none for -1."""
    return float(np.mean([outcome.guess == label for outcome in outcomes]))


def measure_mean_jitter(outcomes: Sequence[Any]) -> float:
    """Return the mean jitter of the notes of two windows and more; NaN if there are none."""
    values = np.array([outcome.jitter for outcome in outcomes])
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def find_interval(
    rows: Sequence[T], speakers: Sequence[str], measure: Callable[[list[T]], float]
) -> tuple[float, float, float]:
    """Return a measure and its interval of 95 %, whole speakers drawn."""
    interval = bound_by_speaker(lambda drawn: measure([rows[i] for i in drawn]), np.array(speakers), n_draws=N_DRAWS)
    return measure(list(rows)), interval.low, interval.high
