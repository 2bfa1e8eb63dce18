"""Decide which nightly slots are due and run each exactly once; slots live in SQL, not in beat's file."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from celery.schedules import ParseException, crontab

from config.settings import SettingsError
from db import Engine, nights, slots
from db.errors import DatabaseError
from db.reasons import SlotState
from scheduler.run_errors import describe_error
from scheduler.troubles import FIRST_START
from telemetry import metrics

_log = logging.getLogger(__name__)
NIGHTLY = "nightly"
# One scan covers every missed night; this many are noted one by one.
_RETRY_S = 60.0
_LOOK_BACK = timedelta(days=31)
_MAX_NOTED = 100


@dataclass(frozen=True)
class NightResult:
    """What one run registered and corrected; see `scheduler.scan.Scanned`."""

    n_listed: int
    n_new: int
    n_jobs: int
    n_corrected: int = 0
    n_without_subject: int = 0
    n_without_time: int = 0


def read_crontab(line: str) -> crontab:
    """Read the five fields of `TONALOG_NIGHTLY_CRONTAB`.

    Raises:
        SettingsError: A field is out of its range or no field of crontab.
    """
    try:
        return crontab.from_string(" ".join(line.split()))
    except (ValueError, ParseException) as error:
        said = str(error).rstrip(".")
        raise SettingsError(f"TONALOG_NIGHTLY_CRONTAB={line!r}: {said}; use fields such as '0 2 * * *'.") from error


def due_slots(line: str, *, since: datetime, now: datetime) -> list[datetime]:
    """Return the slots of a crontab line in (since, now], oldest first, in UTC; the newest 100 of the last 31 days.

    Args:
        line: Five crontab fields, read in UTC.
        since: The last slot that was taken care of, or when the scheduler first started.
        now: The present.

    >>> from datetime import UTC, datetime
    >>> [slot.day for slot in due_slots("0 2 * * *", since=datetime(2026, 3, 1, 9, tzinfo=UTC),
    ...                                  now=datetime(2026, 3, 3, 9, tzinfo=UTC))]
    [2, 3]
    """
    schedule = read_crontab(line)
    schedule.nowfun = lambda: now
    found: deque[datetime] = deque(maxlen=_MAX_NOTED)
    slot = max(since, now - _LOOK_BACK)
    while True:
        start, delta, _ = schedule.remaining_delta(slot, tz=UTC)
        slot = (start + delta).astimezone(UTC)
        if slot > now:
            return list(found)
        found.append(slot)


def run_due_night(
    engine: Engine,
    run: Callable[[], NightResult],
    *,
    crontab_line: str,
    now: datetime,
    lease_s: float,
    retry_s: float = _RETRY_S,
) -> NightResult | None:
    """Run the newest due slot once; older missed slots are covered by the same run and noted as done.

    Two schedulers may call this at once: the slot's row decides who runs. A scheduler that dies in
    the middle leaves a lease behind; when it ends the slot is due again, and a scan repeats safely.
    A slot that comes up while an older one still runs waits for its end: two runs at once in one scheduler
    would leave no thread for its sweeps. A run that raises gives the slot up after `retry_s`, since later ones wait for it.

    Returns:
        What the run registered, or None if no slot was due or a run is going on.
    """
    due = due_slots(crontab_line, since=_since(engine, now), now=now)
    if (
        not due
        or slots.is_held(engine, NIGHTLY)
        or not slots.claim_slot(engine, NIGHTLY, slot=due[-1], lease_s=lease_s)
    ):
        return None
    began_s = time.monotonic()
    slot = due[-1].isoformat()
    _log.info("nightly run starts", extra={"slot": slot, "n_missed": len(due) - 1})
    try:
        nights.begin(engine, due[-1])
        with _renewing(engine, due[-1], lease_s=lease_s):
            result = run()
    except Exception as error:
        metrics.NIGHTLY_RUNS.labels("failed").inc()
        _log.warning("nightly run failed", extra={"slot": slot, "error": type(error).__name__})
        with suppress(DatabaseError):  # The error of the run is the one to tell.
            slots.fail_slot(engine, NIGHTLY, slot=due[-1], error=describe_error(error))
            slots.extend_slot(engine, NIGHTLY, slot=due[-1], lease_s=min(retry_s, lease_s))
        raise
    nights.end_scan(engine, due[-1])
    slots.finish_slot(engine, NIGHTLY, slot=due[-1], n_registered=result.n_new, n_jobs=result.n_jobs)
    metrics.NIGHTLY_RUNS.labels("done").inc()
    _log.info(
        "nightly run done",
        extra={"slot": slot, **asdict(result), "wall_ms": round((time.monotonic() - began_s) * 1000)},
    )
    for missed in due[:-1]:
        if slots.claim_slot(engine, NIGHTLY, slot=missed, lease_s=lease_s):
            slots.finish_slot(engine, NIGHTLY, slot=missed, n_registered=0, n_jobs=0)
    return result


def _since(engine: Engine, now: datetime) -> datetime:
    """Return the moment after which slots count: the last slot done, or the scheduler's first start."""
    last = slots.last_slot(engine, NIGHTLY)
    if last is not None:
        return last.slot if last.state is SlotState.DONE else last.slot - timedelta(minutes=1)
    first_start = slots.read_pulses(engine).get(FIRST_START)
    if first_start is None:
        slots.pulse(engine, FIRST_START)
        return now
    return first_start.at


@contextmanager
def _renewing(engine: Engine, slot: datetime, *, lease_s: float) -> Iterator[None]:
    """Keep the slot's lease while a long scan runs."""
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(lease_s / 3):
            try:
                slots.extend_slot(engine, NIGHTLY, slot=slot, lease_s=lease_s)
            except DatabaseError as error:
                _log.warning("slot lease not renewed", extra={"error": str(error)})

    thread = threading.Thread(target=renew, name="slot-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
