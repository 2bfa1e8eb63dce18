"""Score every cached window with the head that never heard its speaker; it measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS
from training.measures import metrics
from training.nets.heads import compute_logits
from training.studies.voice_notes.encode import Encoded
from training.studies.voice_notes.outcomes import NO_SCORE, Outcome, measure_jitter, pool_windows
from training.studies.voice_notes.plan import MIXED, Task, list_tasks

Array = NDArray[np.float64]
GATE_THRESHOLD = 0.5  # The shipped manifest's.


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


def judge_speakers(
    encoded: Mapping[str, Encoded], heads: Mapping[str, Any], *, temperature: float
) -> dict[str, Judged]:
    """Score every speaker's windows.

    Args:
        encoded: windows by speaker.
        heads: by speaker, the emotion head that belongs to the encoder and never heard the speaker either.
        temperature: that the logits are divided by.
    """
    judged: dict[str, Judged] = {}
    for speaker, one in encoded.items():
        probabilities = metrics.apply_softmax(compute_logits(heads[speaker], one.statistics), temperature)
        judged[speaker] = Judged(one, probabilities[one.row], one.speech[one.row])
    return judged


def collect_outcomes(
    judged: Mapping[str, Judged], *, heard: str, finder: str, window_ms: int, pooling: str, is_gated: bool = False
) -> list[Outcome]:
    """Return the outcome of every note of one emotion that was heard and cut in this way.

    Args:
        judged: scores by speaker.
        heard: as in `Task`.
        finder: as in `Task`.
        window_ms: as in `Task`.
        pooling: one of `POOLINGS`.
        is_gated: leave windows out that the model's own gate calls no speech.
    """
    outcomes: list[Outcome] = []
    for speaker, one in judged.items():
        for index, task in enumerate(list_tasks()):
            if (task.heard, task.finder, task.window_ms) != (heard, finder, window_ms) or task.emotion == MIXED:
                continue
            chosen = one.encoded.task == index
            if is_gated:
                chosen &= one.speech >= GATE_THRESHOLD
            probabilities = one.probabilities[chosen]
            # Without a detector in front, our detector still says how much speech a window holds.
            weights = one.encoded.window_ms[chosen, 2 if finder == "none" else 1].astype(np.float64)
            scores = pool_windows(probabilities, weights, pooling)
            outcomes.append(Outcome(speaker, LABELS.index(task.emotion), scores, measure_jitter(probabilities)))
    return outcomes


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


def list_windows(judged: Mapping[str, Judged], finder: str) -> list[WindowRow]:
    """List all windows of a way of finding speech."""
    tasks = list_tasks()
    rows: list[WindowRow] = []
    for speaker, one in judged.items():
        guesses = one.probabilities.argmax(axis=1)
        for i, index in enumerate(one.encoded.task):
            if tasks[index].finder != finder:
                continue
            true_ms = one.encoded.true_ms[i]
            truth = int(true_ms.argmax()) if true_ms.any() else NO_SCORE
            share = float(true_ms.sum() / one.encoded.window_ms[i, 0])
            is_passed = bool(one.speech[i] >= GATE_THRESHOLD)
            rows.append(WindowRow(speaker, tasks[index], int(guesses[i]), truth, share, is_passed))
    return rows
