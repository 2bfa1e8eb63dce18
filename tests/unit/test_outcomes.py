"""Every error has one disposition: the same bytes die, passing trouble waits, surprises are counted."""

import pytest

from db.errors import ConstraintViolated, DatabaseUnavailable
from db.reasons import Reason
from storage.errors import (
    ObjectChanged,
    ObjectMissing,
    ObjectTruncated,
    StorageDenied,
    StorageError,
    StorageUnavailable,
)
from worker.audio.errors import AudioError, AudioReason
from worker.outcomes import Disposition, failure_of
from worker.scoring.bundle import BundleError
from worker.scoring.scorer import ScoringError


@pytest.mark.parametrize("reason", list(AudioReason))
def test_every_audio_reason_ends_the_job_under_the_same_word(reason):
    failure = failure_of(AudioError(reason, "what was found"))

    assert (failure.disposition, failure.reason.value, failure.detail) == (
        Disposition.DEAD,
        reason.value,
        "what was found",
    )


@pytest.mark.parametrize(
    ("error", "disposition", "reason"),
    [
        (ObjectMissing("gone"), Disposition.DEAD, Reason.OBJECT_MISSING),
        (ObjectChanged("new"), Disposition.DEAD, Reason.OBJECT_CHANGED),
        (ObjectTruncated("short"), Disposition.RETRY, Reason.OBJECT_TRUNCATED),
        (StorageDenied("key"), Disposition.WAIT, Reason.STORAGE_DENIED),
        (StorageUnavailable("down"), Disposition.WAIT, Reason.STORAGE_UNAVAILABLE),
        (StorageError("odd"), Disposition.WAIT, Reason.STORAGE_UNAVAILABLE),
        (DatabaseUnavailable("down"), Disposition.WAIT, Reason.DATABASE_UNAVAILABLE),
        (ConstraintViolated("no score"), Disposition.WAIT, Reason.BAD_SCORES),
        (BundleError("gone"), Disposition.WAIT, Reason.MODEL_UNAVAILABLE),
        (ScoringError("nan"), Disposition.WAIT, Reason.BAD_SCORES),
        (MemoryError(), Disposition.RETRY, Reason.MEMORY),
        (ZeroDivisionError("surprise"), Disposition.RETRY, Reason.INTERNAL),
    ],
)
def test_each_error_has_its_disposition_and_reason(error, disposition, reason):
    failure = failure_of(error)

    assert (failure.disposition, failure.reason) == (disposition, reason)


def test_the_text_of_a_surprise_is_never_stored_because_it_may_hold_anything():
    assert failure_of(KeyError("ana's secret")).detail == "KeyError"


@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError("surprise"), ObjectMissing("gone")])
def test_whatever_goes_wrong_while_the_model_is_at_work_makes_the_job_wait(error):
    failure = failure_of(error, is_model=True)

    assert (failure.disposition, failure.reason) == (Disposition.WAIT, Reason.MODEL_UNAVAILABLE)
    assert "surprise" not in failure.detail
    assert failure.is_surprise == isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize("error", [BundleError("gone"), ScoringError("nan")])
def test_what_the_model_is_known_to_do_keeps_its_word(error):
    assert failure_of(error, is_model=True) == failure_of(error)
