"""Erase what has been here for longer than an operator allows, once a day; chooses by age and by nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from db import Engine, erasures, removals, slots
from db.erasures import Chosen
from db.errors import DatabaseError
from db.reasons import ErasureScope, SlotState
from scheduler.erasing import Carried, carry_out
from scheduler.run_errors import describe_error
from storage.protocol import ObjectStore

_log = logging.getLogger(__name__)
RETENTION = "retention"


def expired(n_days: int, now: datetime) -> Chosen:
    """Say what a retention of `n_days` takes: what was registered longer ago.

    The time of recording does not count here: nobody looks at a list before, and a recorder's wrong clock would have a
    note of today erased tonight, or another one never.
    """
    return Chosen(registered_before=now - timedelta(days=n_days))


def run_due_retention(
    engine: Engine,
    open_store: Callable[[str, str], ObjectStore],
    *,
    n_days: int,
    now: datetime,
    lease_s: float,
) -> Carried | None:
    """Erase what is older than `n_days`, unless that was done this UTC day; also finish erasures that were begun.

    Two schedulers may call this at once: the day's slot decides who does it. One that dies leaves a lease behind; when
    it ends another goes on where it stopped. Objects that cannot be removed are tried again the next day.

    Args:
        engine: the database, as somebody who may erase.
        open_store: from kind of store and bucket to the store.
        n_days: how long a recording is kept after it was registered.
        now: the present.
        lease_s: how long a silent scheduler holds the day.

    Returns:
        How far it came, or None if it was done today or another scheduler does it.

    Raises:
        DatabaseError: the database cannot be reached, or these credentials may not erase.
    """
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    last = slots.last_slot(engine, RETENTION)
    if last is not None and last.slot >= day and last.state is SlotState.DONE:
        return None
    if not slots.claim_slot(engine, RETENTION, slot=day, lease_s=lease_s):
        return None
    try:
        carried = _erase(engine, open_store, expired(n_days, now))
    except Exception as error:
        with suppress(DatabaseError):  # The error of the run is the one to tell.
            slots.fail_slot(engine, RETENTION, slot=day, error=describe_error(error))
        raise
    slots.finish_slot(engine, RETENTION, slot=day, n_registered=0, n_jobs=0)
    level = logging.INFO if carried.problem is None else logging.WARNING
    # The problem of a store names a bucket at the most, never a key.
    fields = {"n_gone": carried.n_gone, "n_left": carried.n_left, "problem": carried.problem}
    _log.log(level, "retention done", extra=fields)
    return carried


def _erase(engine: Engine, open_store: Callable[[str, str], ObjectStore], chosen: Chosen) -> Carried:
    begun = erasures.begin(engine, chosen, scope=ErasureScope.ALL)
    if begun is not None or removals.unfinished(engine):
        return carry_out(engine, open_store)
    return Carried(n_gone=0, n_left=0, problem=None)
