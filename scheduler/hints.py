"""Look up objects that somebody says are new, and register them as a scan would; what is said is never believed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from db import Engine, hint_jobs, models, recordings
from db.fences import erasure_mark
from db.reasons import ChangeCause, Lane
from scheduler.naming import Naming
from scheduler.scan import is_due
from storage.errors import StorageError
from storage.events import ObjectHint
from storage.intake import Intake, Listed
from storage.objects import is_listed
from storage.protocol import ObjectStore
from storage.sidecars import SUFFIX

_log = logging.getLogger(__name__)


class HintOutcome(StrEnum):
    """What became of a hint: a word for logs and metrics."""

    REGISTERED = "registered"  # a recording that the database did not know, with its job
    CORRECTED = "corrected"  # a known one was read again, since what says who and when has changed
    KNOWN = "known"
    GONE = "gone"  # nothing lies there now
    ELSEWHERE = "elsewhere"  # another bucket or prefix, hidden, or no recording: scans would not take it either
    WAITING = "waiting"  # the store is not available, or an erasure came between: look again
    UNREADABLE = "unreadable"  # no notification that we know


@dataclass(frozen=True)
class Place:
    """Where scans look, and by which rules; `now` as for `storage.intake.Intake`."""

    store: ObjectStore
    prefix: str
    naming: Naming

    def intake(self, now: datetime) -> Intake:
        """Open it, with its manifest.

        Raises:
            StorageError: it or its manifest cannot be read or used.
        """
        return self.naming.intake(self.store, self.prefix, now=now)


def take_hints(
    engine: Engine, place: Place, hints: Iterable[ObjectHint], *, intake: Intake | None = None, lane: Lane
) -> dict[ObjectHint, HintOutcome]:
    """Look each object up under the rules of scans, and register what is new with its job.

    A hint that is forged, repeated, late, out of order or of an object that is gone does no harm: what counts is what
    the store shows now. A hint of a sidecar has its recording read again.

    Args:
        engine: the database.
        place: where scans look.
        hints: in any order.
        intake: the place as it was opened; None: open it.
        lane: of new jobs.

    Returns:
        What became of each.

    Raises:
        StorageError: the manifest cannot be read or used.
        DatabaseError: the database cannot be reached, or stores subjects under another key.
    """
    asked = list(dict.fromkeys(hints))
    ours = [hint for hint in asked if _may_be_ours(place, hint)]
    outcomes = dict.fromkeys(asked, HintOutcome.ELSEWHERE)
    if not ours:
        return outcomes
    opened = intake or place.intake(datetime.now(UTC))
    for hint in ours:
        try:
            outcomes[hint] = _take(engine, place, opened, key=hint.key.removesuffix(SUFFIX), lane=lane)
        except StorageError as error:
            _log.warning("hint waits", extra={"error": type(error).__name__})
            outcomes[hint] = HintOutcome.WAITING
    for outcome, n_hints in sorted(Counter(outcomes.values()).items()):
        _log.info("hints taken", extra={"outcome": outcome.value, "n_hints": n_hints})
    return outcomes


def _may_be_ours(place: Place, hint: ObjectHint) -> bool:
    is_below = hint.key.startswith(place.prefix) and is_listed(hint.key, place.prefix)
    return is_below and hint.bucket == place.store.bucket


def _take(engine: Engine, place: Place, intake: Intake, *, key: str, lane: Lane) -> HintOutcome:
    mark = erasure_mark(engine)
    listed = intake.look_up(key)
    if listed is None:
        return HintOutcome.GONE
    store = place.store
    known = recordings.known_versions(engine, store.name, store.bucket, keys=[key])
    version = known.get((key, listed.stored.version_tag))
    if not is_due(listed, version, intake=intake):
        return HintOutcome.KNOWN
    return _read(engine, place, intake, listed, mark=mark, is_known=version is not None, lane=lane)


def _read(
    engine: Engine, place: Place, intake: Intake, listed: Listed, *, mark: int, is_known: bool, lane: Lane
) -> HintOutcome:
    found = intake.identify(listed)
    if found is None:
        return HintOutcome.GONE
    if found.stored.version_tag != listed.stored.version_tag:
        return HintOutcome.WAITING  # replaced between the two looks
    if found.identity.is_refused:
        _log.warning("recording identity unclear", extra={"problem": found.identity.problem})
    new = place.naming.describe(place.store, found)
    subject_key = place.naming.subjects.fingerprint
    if is_known:
        n_corrected = recordings.correct(engine, [new], cause=ChangeCause.SCAN, mark=mark, subject_key=subject_key)
        return HintOutcome.CORRECTED if n_corrected else HintOutcome.KNOWN
    model = models.active_model(engine)
    model_id = None if model is None else model.id
    is_made = hint_jobs.register(engine, new, mark=mark, model_id=model_id, lane=lane, subject_key=subject_key)
    return HintOutcome.REGISTERED if is_made else HintOutcome.WAITING
