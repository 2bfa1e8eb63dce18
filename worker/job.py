"""Fetch, score, save: one claimed job from its object to its result row; errors pass through unrecorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from db import ledger
from db.reasons import ResultStatus
from db.rows import Claim, NewResult, Segment
from storage.objects import OpenedObject
from telemetry import traces
from worker.attempt import Attempt
from worker.audio.decode import check_size
from worker.failures import peak_rss_kib, record
from worker.lease import Lease
from worker.model_time import ModelTime
from worker.outcomes import stuck
from worker.runtime import Runtime
from worker.scoring.note import NoteScores, ScoredSegment
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer


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
    claim = attempt.claim

    def end_stuck(busy_s: float) -> None:
        record_stuck(runtime, attempt, model_time, busy_s=busy_s)

    with hold(runtime, [claim], record_stuck=end_stuck) as lease, ExitStack() as stack:
        check_size(claim.recording.size_bytes, runtime.limits)  # before anything is loaded for it
        with attempt.measure("load"), model_time.spend():
            scorer = runtime.scorer_of(claim.model)
        with attempt.measure("fetch"):
            opened = stack.enter_context(fetch(runtime, claim))
        result = score_opened(runtime, attempt, model_time, scorer=scorer, opened=opened, lease=lease)
        stack.close()  # the copy of the recording is not kept while the database is busy
        lease.check()
        with attempt.measure("finish"):
            is_ours = ledger.finish(runtime.engine, claim, result, wall_ms=attempt.wall_ms, peak_rss_kib=peak_rss_kib())
        return result if is_ours else None


def fetch(runtime: Runtime, claim: Claim) -> OpenedObject:
    """Get a whole copy of a claim's recording.

    Raises:
        AudioError: it is larger than allowed; nothing was fetched, since it may be 200 GB.
        StorageError: as the store says.
    """
    found = claim.recording
    check_size(found.size_bytes, runtime.limits)
    return runtime.store_of(found).open(found.key, version_tag=found.version_tag, size_bytes=found.size_bytes)


def score_opened(
    runtime: Runtime, attempt: Attempt, model_time: ModelTime, *, scorer: Scorer, opened: OpenedObject, lease: Lease
) -> NewResult:
    """Score a copy of a recording under a lease, and give the result as it is to be written.

    Raises:
        AudioError, ScoringError: as their rooms say.
        LeaseLost: another worker took the job over meanwhile.
    """
    with traces.span("score"):
        note = score_recording(
            opened.file,
            scorer,
            limits=runtime.limits,
            on_progress=lambda _: lease.check(),
            around_model=model_time.spend,
            stopwatch=attempt.watch,
        )
    return to_result(note, audio_sha256=opened.sha256)


def hold(runtime: Runtime, claims: Sequence[Claim], *, record_stuck: Callable[[float], None]) -> Lease:
    """Give what renews claims while a block runs.

    Args:
        runtime: of this process.
        claims: that it holds.
        record_stuck: takes how much processor time went by without progress; the process ends after it.
    """
    settings = runtime.settings
    return Lease(
        runtime.engine,
        claims,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
        stuck_s=settings.max_decode_s,
        record_stuck=record_stuck,
    )


def record_stuck(runtime: Runtime, attempt: Attempt, model_time: ModelTime, *, busy_s: float) -> None:
    """Write down that an attempt made no progress."""
    failure = stuck(busy_s, allowed_s=runtime.settings.max_decode_s, is_model=model_time.is_running)
    record(runtime.engine, runtime.settings, attempt, failure)


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
