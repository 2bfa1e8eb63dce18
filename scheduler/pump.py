"""Sweep the ledger and ring the queue for due jobs; the ledger decides, the queue only carries ids."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass

from celery import Celery
from kombu.exceptions import OperationalError

from config.queues import SCORE_TASK, lane_queue
from db import Engine, pump, slots
from db.reasons import Lane
from db.sweep import sweep_expired
from scheduler.broker import count_waiting

_log = logging.getLogger(__name__)
SWEEP_PULSE = "sweep"


@dataclass(frozen=True)
class Pumped:
    """What one pass did: leases taken back, and ids sent."""

    n_expired: int
    n_sent: int


def sweep_and_pump(engine: Engine, app: Celery, *, queue_cap: int, rering_s: float = pump.RERING_FIRST_S) -> Pumped:
    """Take back expired leases, then send due jobs until `queue_cap` are outstanding (nightly jobs count apart).

    A job is marked QUEUED before its id is sent. If the broker refuses, the job goes back to PENDING;
    if this process dies in between, a later sweep rings again. A lane in which `queue_cap` messages wait gets no more:
    where no worker takes them, each ring would add one to those that are not lost at all.

    Raises:
        DatabaseError: The database cannot be reached.
    """
    expired = sweep_expired(engine)
    due = pump.due_jobs(engine, cap_outstanding=queue_cap, limit=queue_cap, rering_s=rering_s)
    n_sent = _send(engine, app, due, queue_cap=queue_cap)
    slots.pulse(engine, SWEEP_PULSE)
    return Pumped(n_expired=expired.n_expired, n_sent=n_sent)


def _send(engine: Engine, app: Celery, due: list[tuple[int, Lane]], *, queue_cap: int) -> int:
    n_done = n_sent = 0
    try:
        waiting = Counter(count_waiting(app, {lane_queue(lane) for _, lane in due})) if due else Counter[str]()
        for n_done, (job_id, lane) in enumerate(due):  # noqa: B007 - where it stopped is needed below
            queue = lane_queue(lane)
            if waiting[queue] < queue_cap:
                app.send_task(SCORE_TASK, args=[job_id], queue=queue)
                waiting[queue] += 1
                n_sent += 1
    except (OperationalError, OSError) as error:
        left = [unsent for unsent, _ in due[n_done:]]
        pump.unqueue(engine, left)
        _log.warning("broker refused a message", extra={"n_left": len(left), "error": type(error).__name__})
    return n_sent
