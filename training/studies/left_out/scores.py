"""Score recordings as serving does, in processes of their own; what was scored once is kept and not scored again."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.files import hash_text
from training.studies.left_out.fingerprint import fingerprint_code
from training.studies.left_out.notes import FORMAT, ScoredNote, Unscored, keep_note, read_kept
from worker.audio.errors import AudioError
from worker.scoring.bundle import Bundle
from worker.scoring.note import NoteStatus
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer, WindowScores

TASK_SIZE = 8  # Recordings that a process takes at once.


class WorkersLost(Exception):
    """A process that scored ended abruptly."""


@dataclass(frozen=True)
class Task:
    """One recording to score.

    Attributes:
        path: audio file.
        sha256: of the file, by which its scores are kept.
    """

    path: Path
    sha256: str


def score_files(
    bundle: Bundle,
    tasks: Sequence[Task],
    *,
    folder: Path,
    n_processes: int,
    on_scored: Callable[[int], None] = lambda _n_done: None,
) -> dict[str, ScoredNote]:
    """Score recordings that are not kept yet, keep them, and return all by the sha256 of their file.

    Args:
        bundle: that scores.
        tasks: any number; the same bytes are scored once.
        folder: where scores are kept, by bundle and code of serving.
        n_processes: 1 or more; with one, this process scores.
        on_scored: told how many of the tasks are done.

    Raises:
        ValueError: a file cannot be scored, or is not the one that was read before.
        BundleError, ScoringError: as `score_recording`.
        WorkersLost: a process ended abruptly.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"scores-{FORMAT}-{hash_text(bundle.sha256, fingerprint_code())[:16]}.jsonl"
    known = read_kept(path)
    wanted = {task.sha256: task for task in tasks}
    missing = [task for sha256, task in wanted.items() if sha256 not in known]
    n_done = len(wanted) - len(missing)
    on_scored(n_done)
    if missing:
        with path.open("a", encoding="utf-8") as file, _start(bundle, n_processes) as run:
            for sha256, note in run(missing):
                keep_note(file, sha256, note)
                known[sha256] = note
                n_done += 1
                on_scored(n_done)
    return {sha256: known[sha256] for sha256 in wanted}


class _CountingScorer(Scorer):
    """A scorer that counts the windows which the speech gate turns away."""

    n_turned_away = 0

    def score(self, signal: NDArray[np.float32]) -> WindowScores:
        scored = super().score(signal)
        gate, speech = self.bundle.manifest.speech_gate, scored.speech_probability
        self.n_turned_away += gate is not None and speech is not None and speech < gate.threshold
        return scored


def score_file(task: Task, scorer: _CountingScorer) -> ScoredNote:
    """Score one recording by `score_recording`."""
    content = task.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != task.sha256:
        raise ValueError(f"{task.path} has changed since it was read; start again")
    n_before = scorer.n_turned_away
    try:
        note = score_recording(io.BytesIO(content), scorer)
    except AudioError as error:
        raise ValueError(f"{task.path} cannot be scored: {error}") from error
    is_gated = scorer.n_turned_away > n_before
    reason = Unscored.GATE if is_gated else Unscored.SHORT if note.speech_ms else Unscored.VAD
    return ScoredNote(
        duration_ms=note.duration_ms,
        speech_ms=note.speech_ms,
        unscored=reason if note.status is NoteStatus.NO_SPEECH else None,
        scores=tuple(note.scores.values()),
        windows=tuple(tuple(segment.scores.values()) for segment in note.segments),
        window_ms=tuple(segment.speech_ms for segment in note.segments),
    )


Run = Callable[[Sequence[Task]], Iterator[tuple[str, ScoredNote]]]
_scorer: list[_CountingScorer] = []  # In a process that scores: the one scorer.


@contextmanager
def _start(bundle: Bundle, n_processes: int) -> Iterator[Run]:
    """Give what scores tasks, in this process or in others."""
    scorer = _CountingScorer(bundle)  # Also where others score: what is wrong with the bundle is said here.
    if n_processes == 1:
        yield lambda tasks: ((task.sha256, score_file(task, scorer)) for task in tasks)
        return
    # Sessions do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, mp_context=context, initializer=_begin, initargs=(bundle,)) as pool:
        try:
            yield lambda tasks: pool.map(_score, tasks, chunksize=TASK_SIZE)
        except BrokenProcessPool as error:
            raise WorkersLost("a process that scored ended abruptly; go on with --workers 1") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(bundle: Bundle) -> None:
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    _scorer[:] = [_CountingScorer(bundle)]


def _end_with_parent() -> None:
    """End where the parent was killed and can give no more tasks."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _score(task: Task) -> tuple[str, ScoredNote]:
    return task.sha256, score_file(task, _scorer[0])
