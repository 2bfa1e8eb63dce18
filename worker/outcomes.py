"""Which error ends a job, which sends it back, and why: a table, so that nothing is decided elsewhere.

What goes wrong while the model is at work is not the recording's doing, and makes the job wait.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from db.errors import ConstraintViolated, DatabaseError
from db.reasons import Reason
from storage.errors import ObjectChanged, ObjectMissing, ObjectTruncated, StorageDenied, StorageError
from worker.audio.errors import AudioError
from worker.scoring.bundle import BundleError
from worker.scoring.scorer import ScoringError


class Disposition(Enum):
    """What becomes of a job whose attempt failed."""

    DEAD = auto()  # the same bytes would fail again
    RETRY = auto()  # counted: three unexplained failures are the end
    WAIT = auto()  # not counted: storage, database or model must come back or be repaired first


@dataclass(frozen=True)
class Failure:
    """One failed attempt as the ledger records it."""

    disposition: Disposition
    reason: Reason
    detail: str
    is_surprise: bool = False  # worth a traceback in the log


# First match wins, so subclasses stand before their base.
_TABLE: tuple[tuple[type[Exception], Disposition, Reason], ...] = (
    (ObjectMissing, Disposition.DEAD, Reason.OBJECT_MISSING),
    (ObjectChanged, Disposition.DEAD, Reason.OBJECT_CHANGED),
    (ObjectTruncated, Disposition.RETRY, Reason.OBJECT_TRUNCATED),
    (StorageDenied, Disposition.WAIT, Reason.STORAGE_DENIED),
    (StorageError, Disposition.WAIT, Reason.STORAGE_UNAVAILABLE),
    (BundleError, Disposition.WAIT, Reason.MODEL_UNAVAILABLE),
    (ConstraintViolated, Disposition.WAIT, Reason.BAD_SCORES),
    (DatabaseError, Disposition.WAIT, Reason.DATABASE_UNAVAILABLE),
    (ScoringError, Disposition.WAIT, Reason.BAD_SCORES),
    (MemoryError, Disposition.RETRY, Reason.MEMORY),
)


def failure_of(error: Exception, *, is_model: bool = False) -> Failure:
    """Say what an error means for its job.

    The detail of an unexpected error is its type alone: its text may hold anything.

    Args:
        error: that ended the attempt.
        is_model: whether the model was at work: built, or run on a window.

    >>> failure_of(ValueError("secret")).detail
    'ValueError'
    >>> failure_of(MemoryError(), is_model=True).reason
    <Reason.MODEL_UNAVAILABLE: 'MODEL_UNAVAILABLE'>
    """
    if isinstance(error, AudioError):
        return Failure(Disposition.DEAD, Reason(error.reason.value), error.detail)
    failure = _look_up(error)
    if is_model and failure.disposition is not Disposition.WAIT:
        detail = f"{failure.detail} while the model was at work"
        return replace(failure, disposition=Disposition.WAIT, reason=Reason.MODEL_UNAVAILABLE, detail=detail)
    return failure


def _look_up(error: Exception) -> Failure:
    for kind, disposition, reason in _TABLE:
        if isinstance(error, kind):
            return Failure(disposition, reason, str(error) or kind.__name__)
    return Failure(Disposition.RETRY, Reason.INTERNAL, type(error).__name__, is_surprise=True)


def stuck(busy_s: float, *, allowed_s: float, is_model: bool) -> Failure:
    """Say what it means that processor time went by without progress."""
    spent = f"{busy_s:.0f} s of processor time went by"
    if is_model:
        detail = f"{spent} while the model was at work, allowed are {allowed_s} s"
        return Failure(Disposition.WAIT, Reason.MODEL_UNAVAILABLE, detail)
    return Failure(Disposition.DEAD, Reason.TIME_LIMIT, f"{spent} without progress, allowed are {allowed_s} s")


def told_to_stop(elapsed_s: float, *, allowed_s: float, model_s: float) -> Failure:
    """Say what it means that an attempt was told to stop; one that had not used up half of its time is not to blame.

    Half, since Celery's clock starts before the job is claimed: a recording that takes too long is always told a little
    before its time by ours. Where more than half of the time was the model's, it is too slow for this machine or for this time limit.
    """
    if elapsed_s < allowed_s / 2:
        detail = f"told to stop after {elapsed_s:.1f} s, allowed are {allowed_s} s: not the recording's doing"
        return Failure(Disposition.WAIT, Reason.TIME_LIMIT, detail)
    if model_s > elapsed_s / 2:
        detail = f"took more than {allowed_s} s, {model_s:.0f} s of them the model's"
        return Failure(Disposition.WAIT, Reason.MODEL_UNAVAILABLE, detail)
    return Failure(Disposition.RETRY, Reason.TIME_LIMIT, f"took more than {allowed_s} s")


def died(end: str, *, is_model: bool) -> Failure:
    """Say what it means that an attempt's own process died, which the one who waited for it saw.

    Args:
        end: how, such as SIGSEGV.
        is_model: whether the model was at work.
    """
    if is_model:
        return Failure(Disposition.WAIT, Reason.MODEL_UNAVAILABLE, f"alone in its process, the model ended it by {end}")
    return Failure(Disposition.RETRY, Reason.WORKER_LOST, f"alone in its process, the recording ended it by {end}")
