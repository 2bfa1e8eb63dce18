"""Which error ends a job, which sends it back, and why: a table, so that nothing is decided elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from db.errors import DatabaseError
from db.reasons import Reason
from storage.errors import ObjectChanged, ObjectMissing, ObjectTruncated, StorageDenied, StorageError
from worker.audio.errors import AudioError
from worker.scoring.bundle import BundleError
from worker.scoring.scorer import ScoringError


class Fate(Enum):
    """What becomes of a job whose attempt failed."""

    DEAD = auto()  # the same bytes would fail again
    RETRY = auto()  # counted: three unexplained failures are the end
    WAIT = auto()  # not counted: storage, database or model must come back first


@dataclass(frozen=True)
class Failure:
    """One failed attempt as the ledger records it."""

    fate: Fate
    reason: Reason
    detail: str


# First match wins, so subclasses stand before their base.
_TABLE: tuple[tuple[type[Exception], Fate, Reason], ...] = (
    (ObjectMissing, Fate.DEAD, Reason.OBJECT_MISSING),
    (ObjectChanged, Fate.DEAD, Reason.OBJECT_CHANGED),
    (ObjectTruncated, Fate.RETRY, Reason.OBJECT_TRUNCATED),
    (StorageDenied, Fate.WAIT, Reason.STORAGE_DENIED),
    (StorageError, Fate.WAIT, Reason.STORAGE_UNAVAILABLE),
    (BundleError, Fate.WAIT, Reason.MODEL_UNAVAILABLE),
    (DatabaseError, Fate.WAIT, Reason.DATABASE_UNAVAILABLE),
    (ScoringError, Fate.DEAD, Reason.BAD_SCORES),
    (MemoryError, Fate.RETRY, Reason.MEMORY),
)


def failure_of(error: Exception) -> Failure:
    """Say what an error means for its job.

    The detail of an unexpected error is its type alone: its text may hold anything.

    >>> failure_of(ValueError("secret")).detail
    'ValueError'
    """
    if isinstance(error, AudioError):
        return Failure(Fate.DEAD, Reason(error.reason.value), error.detail)
    for kind, fate, reason in _TABLE:
        if isinstance(error, kind):
            return Failure(fate, reason, str(error) or kind.__name__)
    return Failure(Fate.RETRY, Reason.INTERNAL, type(error).__name__)
