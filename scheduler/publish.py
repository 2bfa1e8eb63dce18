"""Publish due jobs to the queue: the ledger decides which, and the queue only carries their ids."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass

from celery import Celery
from kombu.exceptions import BatchPublishError, OperationalError

from config.queues import SCORE_TASK, lane_queue
from db import Engine, pump
from db.claims import sizes_to_share
from db.reasons import Lane
from scheduler.broker import count_waiting
from scheduler.grouping import group
from telemetry import metrics, traces

_log = logging.getLogger(__name__)
PAGE = 100
"""Messages that are sent together."""
# kombu raises a bare RuntimeError where a connection was lost and made anew within a page.
_REFUSALS = (OperationalError, BatchPublishError, OSError, RuntimeError)


@dataclass(frozen=True)
class PublishResult:
    """How many jobs were due, new ones and those to be redelivered, and how many ids were sent."""

    n_due: int
    n_sent: int


def publish_due(
    engine: Engine, app: Celery, *, queue_cap: int, redeliver_s: float = pump.REDELIVER_FIRST_S
) -> PublishResult:
    """Send due jobs until `queue_cap` are outstanding (nightly jobs count apart).

    A job is marked QUEUED before its id is sent; short recordings share a message (`scheduler.grouping`). If the broker
    refuses, the job goes back to PENDING; if this process dies in between, it is redelivered later. A lane in which `queue_cap` messages wait gets no more:
    where no worker takes them, each redelivery would add one to those that are not lost at all.

    Raises:
        DatabaseError: The database cannot be reached.
    """
    due = pump.due_jobs(engine, cap_outstanding=queue_cap, limit=queue_cap, redeliver_s=redeliver_s)
    return PublishResult(n_due=len(due), n_sent=_send(engine, app, due, queue_cap=queue_cap))


def _send(engine: Engine, app: Celery, due: list[tuple[int, Lane]], *, queue_cap: int) -> int:
    messages = group(due, sizes_to_share(engine, [job_id for job_id, _ in due]))
    n_done = n_sent = 0
    try:
        waiting = Counter(count_waiting(app, {lane_queue(lane) for _, lane in due})) if due else Counter[str]()
        while n_done < len(messages):
            page = messages[n_done : n_done + PAGE]
            n_sent += _send_page(app, page, waiting, queue_cap=queue_cap)
            n_done += len(page)
    except _REFUSALS as error:
        # Of a page that failed some messages may have come through: their jobs are claimed, or published once more.
        left = [unsent for _, job_ids in messages[n_done:] for unsent in job_ids]
        pump.unqueue(engine, left)
        metrics.BROKER_REFUSALS.inc()
        _log.warning("broker refused a message", extra={"n_left": len(left), "error": type(error).__name__})
    return n_sent


def _send_page(app: Celery, page: list[tuple[Lane, list[int]]], waiting: Counter[str], *, queue_cap: int) -> int:
    """Send the messages for which their queue has room, on Redis in one exchange; give how many jobs they name."""
    sent = Counter[Lane]()
    with app.producer_or_acquire() as producer, producer.batch():
        for lane, job_ids in page:
            queue = lane_queue(lane)
            if waiting[queue] < queue_cap:
                with ExitStack() as spans:
                    for job_id in job_ids:
                        spans.enter_context(traces.span("enqueue", job_id=job_id, lane=lane.value))
                    app.send_task(SCORE_TASK, args=job_ids, queue=queue, producer=producer)
                waiting[queue] += 1
                sent[lane] += len(job_ids)
    for lane, n in sent.items():
        metrics.JOBS_PUBLISHED.labels(lane.value).inc(n)
    return sent.total()
