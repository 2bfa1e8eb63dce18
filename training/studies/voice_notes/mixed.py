"""Mixed notes: is each window called by what is said in it, and do a note's scores follow its shares; it prints nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.corpora import LABELS
from training.studies.voice_notes.judge import Judged
from training.studies.voice_notes.outcomes import find_interval, measure_jitter
from training.studies.voice_notes.plan import MIXED, WINDOW_MS, WINDOWS_MS, list_tasks
from training.studies.voice_notes.tables import NAMES, make_table

MIN_TRUE_MS = 500
WAYS = (
    *((finder, WINDOW_MS) for finder in ("none", "energy", "webrtc3", "ours", "oracle")),
    *(("ours", window_ms) for window_ms in WINDOWS_MS if window_ms != WINDOW_MS),
)


@dataclass(frozen=True)
class MixedOutcome:
    """One mixed note.

    Attributes:
        n_right: windows with at least half a second of speech that are called by the label most heard in them.
        n_windows: how many such windows there are.
        n_called: int64 (4,), all windows by what they are called.
        share_error: half the L1 distance of pooled scores and true shares of speaking time, 0 to 1.
        jitter: as in `Outcome`.
    """

    n_right: int
    n_windows: int
    n_called: tuple[int, ...]
    share_error: float
    jitter: float


def collect_mixed(judged: Mapping[str, Judged], finder: str, window_ms: int) -> tuple[list[MixedOutcome], list[str]]:
    """Return the outcome of every mixed note, and its speaker."""
    outcomes: list[MixedOutcome] = []
    speakers: list[str] = []
    for speaker, one in judged.items():
        tasks = list_tasks()
        for index, task in enumerate(tasks):
            if (task.emotion, task.finder, task.window_ms) != (MIXED, finder, window_ms):
                continue
            chosen = one.encoded.task == index
            probabilities, true_ms = one.probabilities[chosen], one.encoded.true_ms[chosen]
            guess = probabilities.argmax(axis=1)
            is_spoken = true_ms.sum(axis=1) >= MIN_TRUE_MS
            n_right = int((guess == true_ms.argmax(axis=1))[is_spoken].sum())
            # The truth is that of the oracle's windows: what a detector drops was said all the same.
            whole = one.encoded.true_ms[one.encoded.task == _find_oracle(index)].sum(axis=0)
            error = np.abs(probabilities.mean(axis=0) - whole / whole.sum()).sum() / 2 if chosen.any() else 1.0
            n_called = tuple(np.bincount(guess, minlength=len(LABELS)).tolist())
            jitter = measure_jitter(probabilities)
            outcomes.append(MixedOutcome(n_right, int(is_spoken.sum()), n_called, float(error), jitter))
            speakers.append(speaker)
    return outcomes, speakers


def tabulate_mixed(judged: Mapping[str, Judged]) -> list[str]:
    """Windows called right, error of shares, shares of neutral and sadness, and jitter of mixed notes."""
    rows = []
    for finder, window_ms in WAYS:
        outcomes, speakers = collect_mixed(judged, finder, window_ms)
        cells = []
        for measure in (_measure_right, _measure_error, _measure_neutral, _measure_sadness, _measure_jitter):
            value, low, high = find_interval(outcomes, speakers, measure)
            cells.append(f"{value:.2f} [{low:.2f}, {high:.2f}]")
        rows.append([NAMES[finder], f"{window_ms / 1000:g} s", *cells])
    head = ["detector", "window", "windows right", "share error", "called neutral", "called sadness", "jitter"]
    return make_table(head, rows)


def _find_oracle(index: int) -> int:
    task = list_tasks()[index]
    return next(
        i
        for i, other in enumerate(list_tasks())
        if (other.emotion, other.turn, other.finder) == (MIXED, task.turn, "oracle")
    )


def _measure_right(outcomes: list[MixedOutcome]) -> float:
    return sum(o.n_right for o in outcomes) / max(sum(o.n_windows for o in outcomes), 1)


def _measure_error(outcomes: list[MixedOutcome]) -> float:
    return float(np.mean([o.share_error for o in outcomes]))


def _measure_called(outcomes: list[MixedOutcome], label: str) -> float:
    called = np.sum([o.n_called for o in outcomes], axis=0)
    return float(called[LABELS.index(label)] / max(called.sum(), 1))


def _measure_neutral(outcomes: list[MixedOutcome]) -> float:
    return _measure_called(outcomes, "neutral")


def _measure_sadness(outcomes: list[MixedOutcome]) -> float:
    return _measure_called(outcomes, "sadness")


def _measure_jitter(outcomes: list[MixedOutcome]) -> float:
    return float(np.nanmean([o.jitter for o in outcomes]))
