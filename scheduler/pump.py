"""Sweep the ledger and ring the queue for due jobs; the ledger decides, the queue only carries ids."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from celery import Celery
from kombu.exceptions import OperationalError

from config.queues import SCORE_TASK, lane_queue
from db import Engine, pump, slots
from db.reasons import Lane
from db.sweep import sweep_expired

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
    if this process dies in between, a later sweep rings again.

    Raises:
        DatabaseError: The database cannot be reached.
    """
    expired = sweep_expired(engine)
    due = pump.due_jobs(engine, cap_outstanding=queue_cap, limit=queue_cap, rering_s=rering_s)
    n_sent = _send(engine, app, due)
    slots.pulse(engine, SWEEP_PULSE)
    return Pumped(n_expired=expired.n_expired, n_sent=n_sent)


def _send(engine: Engine, app: Celery, due: list[tuple[int, Lane]]) -> int:
    for n_sent, (job_id, lane) in enumerate(due):
        try:
            app.send_task(SCORE_TASK, args=[job_id], queue=lane_queue(lane))
        except (OperationalError, OSError) as error:
            left = [unsent for unsent, _ in due[n_sent:]]
            pump.unqueue(engine, left)
            _log.warning("broker refused a message", extra={"n_left": len(left), "error": type(error).__name__})
            return n_sent
    return len(due)
