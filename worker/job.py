"""Fetch, score, save: one claimed job from its object to its result row; errors pass through unrecorded."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from db import Engine, ledger
from db.errors import DatabaseError
from db.reasons import ResultStatus
from db.rows import Claim, NewResult, Segment
from telemetry import traces
from worker.attempt import Attempt
from worker.audio.decode import check_size
from worker.failures import peak_rss_kib, record
from worker.model_time import ModelTime
from worker.outcomes import stuck
from worker.runtime import Runtime
from worker.scoring.note import NoteScores, ScoredSegment
from worker.scoring.pipeline import score_recording

_log = logging.getLogger(__name__)
EXIT_STUCK = 70  # EX_SOFTWARE of sysexits.h


class LeaseLost(Exception):
    """Another worker owns the job by now; this attempt must write nothing."""


class Lease(AbstractContextManager["Lease"]):
    """Renews a claim in the background and says whether it is still held; ends the process if the job is stuck.

    Celery starts another one, and its neighbours notice nothing. A decoder, or an operator of a graph, that is busy inside
    native code hears no time limit. So processor time without progress is counted, which neither a machine that sleeps nor
    slow storage spends.
    """

    def __init__(
        self,
        engine: Engine,
        claim: Claim,
        *,
        lease_s: float,
        heartbeat_s: float,
        stuck_s: float,
        record_stuck: Callable[[float], None],
    ) -> None:
        self._engine = engine
        self._claim = claim
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._stuck_s = stuck_s
        self._record_stuck = record_stuck
        self._progress_at_s = time.process_time()
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Note that there was progress; raise `LeaseLost` if a heartbeat found the job in other hands."""
        self._progress_at_s = time.process_time()
        if self._lost.is_set():
            raise LeaseLost(f"job {self._claim.job_id} is no longer ours")

    def _renew(self) -> None:
        while not self._stop.wait(self._heartbeat_s):
            busy_s = time.process_time() - self._progress_at_s
            if busy_s > self._stuck_s:
                _log.error("job is stuck, ending its process", extra={"job_id": self._claim.job_id})
                self._record_stuck(busy_s)
                os._exit(EXIT_STUCK)
            try:
                is_held = ledger.heartbeat(
                    self._engine, self._claim.token, job_id=self._claim.job_id, lease_s=self._lease_s
                )
            except (DatabaseError, MemoryError) as error:
                # The lease may outlive a short outage; if it does not, `finish` finds the token gone.
                _log.warning("heartbeat failed", extra={"job_id": self._claim.job_id, "error": str(error)})
                continue
            if not is_held:
                self._lost.set()
                return


def run_claimed(runtime: Runtime, attempt: Attempt, model_time: ModelTime) -> NewResult | None:
    """Score the claim's recording and save the result.

    Args:
        runtime: of this process.
        attempt: at the claimed job.
        model_time: what the model spends is counted there.

    Returns:
        The result that was saved; None when the claim had passed to another worker.

    Raises:
        StorageError, AudioError, BundleError, ScoringError, DatabaseError: as their rooms say.
        LeaseLost: another worker took the job over while this one was scoring.
    """
    found = attempt.claim.recording
    with _hold(runtime, attempt, model_time) as lease, ExitStack() as stack:
        check_size(found.size_bytes, runtime.limits)  # before anything is fetched: it may be 200 GB
        with attempt.measure("load"), model_time.spend():
            scorer = runtime.scorer_of(attempt.claim.model)
        store = runtime.store_of(found)
        with attempt.measure("fetch"):
            opened = stack.enter_context(
                store.open(found.key, version_tag=found.version_tag, size_bytes=found.size_bytes)
            )
        with traces.span("score"):
            note = score_recording(
                opened.file,
                scorer,
                limits=runtime.limits,
                on_progress=lambda _: lease.check(),
                around_model=model_time.spend,
                stopwatch=attempt.watch,
            )
        result = to_result(note, audio_sha256=opened.sha256)
        stack.close()  # the copy of the recording is not kept while the database is busy
        lease.check()
        with attempt.measure("finish"):
            is_ours = ledger.finish(
                runtime.engine, attempt.claim, result, wall_ms=attempt.wall_ms, peak_rss_kib=peak_rss_kib()
            )
        return result if is_ours else None


def _hold(runtime: Runtime, attempt: Attempt, model_time: ModelTime) -> Lease:
    settings = runtime.settings

    def record_stuck(busy_s: float) -> None:
        failure = stuck(busy_s, allowed_s=settings.max_decode_s, is_model=model_time.is_running)
        record(runtime.engine, settings, attempt, failure)

    return Lease(
        runtime.engine,
        attempt.claim,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
        stuck_s=settings.max_decode_s,
        record_stuck=record_stuck,
    )


def to_result(note: NoteScores, *, audio_sha256: str) -> NewResult:
    """Translate a note's scores into rows; the one place where domain objects become rows."""
    return NewResult(
        status=ResultStatus(note.status.name),
        scores=note.scores,
        dimensions=note.dimensions,
        label=note.label,
        confidence=note.confidence,
        is_uncertain=note.is_uncertain,
        n_windows=note.n_windows,
        speech_ms=note.speech_ms,
        rejected_ms=note.rejected_ms,
        duration_ms=note.duration_ms,
        trend={label: trend.as_numbers() for label, trend in note.trend.items()},
        voice=note.voice,
        audio_sha256=audio_sha256,
        segments=tuple(_to_segment(segment) for segment in note.segments),
    )


def _to_segment(segment: ScoredSegment) -> Segment:
    return Segment(
        start_ms=segment.start_ms,
        end_ms=segment.end_ms,
        speech_ms=segment.speech_ms,
        scores=segment.scores,
        dimensions=segment.dimensions,
    )
