"""Fetch, score, save: one claimed job from its object to its result row; errors pass through unrecorded."""

from __future__ import annotations

import logging
import os
import resource
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import asdict
from types import TracebackType
from typing import Self

from db import Engine, ledger
from db.errors import DatabaseError
from db.reasons import Reason, ResultStatus
from db.rows import Claim, NewResult, Segment
from worker.audio.decode import check_size
from worker.runtime import Runtime
from worker.scoring.note import NoteScores, ScoredSegment
from worker.scoring.pipeline import score_recording

_log = logging.getLogger(__name__)
EXIT_STUCK = 70  # EX_SOFTWARE of sysexits.h


class LeaseLost(Exception):
    """Another worker owns the job by now; this attempt must write nothing."""


class Lease(AbstractContextManager["Lease"]):
    """Renews a claim in the background and says whether it is still held; ends the process if the job is stuck.

    A decoder that is busy inside native code hears no time limit: 20,000 comments in a FLAC file of 200 KB kept FFmpeg busy
    for 2 s, and ten times as many keep it busy a hundred times as long (24 November 2026). So processor time without
    progress is counted, which neither a machine that sleeps nor slow storage spends.
    """

    def __init__(self, engine: Engine, claim: Claim, *, lease_s: float, heartbeat_s: float, stuck_s: float) -> None:
        self._engine = engine
        self._claim = claim
        self._lease_s = lease_s
        self._heartbeat_s = heartbeat_s
        self._stuck_s = stuck_s
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
                self._end_stuck(busy_s)
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

    def _end_stuck(self, busy_s: float) -> None:
        """End the job and this process; Celery starts another, and its neighbours notice nothing."""
        detail = f"{busy_s:.0f} s of processor time went by without progress, allowed are {self._stuck_s} s"
        _log.error("job is stuck, ending its process", extra={"job_id": self._claim.job_id})
        try:
            ledger.fail_dead(self._engine, self._claim, Reason.TIME_LIMIT, detail=detail, peak_rss_kib=peak_rss_kib())
        except (DatabaseError, MemoryError) as error:
            _log.warning("outcome not recorded", extra={"job_id": self._claim.job_id, "error": str(error)})
        os._exit(EXIT_STUCK)


def run_claimed(runtime: Runtime, claim: Claim) -> bool:
    """Score the claim's recording and save the result.

    Returns:
        Whether the result was saved; False when the claim had passed to another worker.

    Raises:
        StorageError, AudioError, BundleError, ScoringError, DatabaseError: as their rooms say.
        LeaseLost: another worker took the job over while this one was scoring.
    """
    settings = runtime.settings
    started = time.monotonic()
    with Lease(
        runtime.engine,
        claim,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
        stuck_s=settings.max_decode_s,
    ) as lease:
        found = claim.recording
        check_size(found.size_bytes, runtime.limits)  # before anything is fetched: it may be 200 GB
        scorer = runtime.scorer_of(claim.model)
        store = runtime.store_of(found)
        with store.open(found.key, version_tag=found.version_tag, size_bytes=found.size_bytes) as opened:
            note = score_recording(opened.file, scorer, limits=runtime.limits, on_progress=lambda _: lease.check())
            sha256 = opened.sha256
        lease.check()
        return ledger.finish(
            runtime.engine,
            claim,
            to_result(note, audio_sha256=sha256),
            wall_ms=round((time.monotonic() - started) * 1000),
            peak_rss_kib=peak_rss_kib(),
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
        trend={label: asdict(trend) for label, trend in note.trend.items()},
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


def peak_rss_kib() -> int:
    """Return the most memory this process has held, in KiB (getrusage counts bytes on macOS)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
