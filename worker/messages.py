"""Take of a message its job id and nothing else: whoever writes into the queue may name a job, not how it is run.

A Celery message can carry time limits, a time to wait for, an expiry, further tasks to send, and texts for the log.
None of them reaches Celery from here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from celery import Celery
from celery.worker import control
from celery.worker.strategy import default
from kombu.message import Message

from config.queues import SCORE_TASK

_log = logging.getLogger(__name__)
MAX_JOB_ID = 2**63 - 1
ALLOWED_COMMANDS = frozenset({"hello", "ping", "heartbeat", "report", "stats", "active", "reserved", "active_queues"})
"""Remote commands that only look. What changes limits, consumers, pool or rate, or ends the worker, is not known."""


def strategy(task: Any, app: Celery, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Return Celery's own way of taking messages behind a check; `Task.Strategy` names this function."""
    take = default(task, app, consumer, **options)

    def check_and_take(message: Message, _payload: Any, ack: Any, reject: Any, callbacks: Any, **more: Any) -> Any:
        job_id = read_job_id(message)
        if job_id is None:
            _log.warning("message dropped: it names no job")
            return reject(_log, consumer.connection_errors, requeue=False)
        keep_only(message, job_id)
        return take(message, None, ack, reject, callbacks, **more)

    return check_and_take


def read_job_id(message: Message) -> int | None:
    """Return the one argument of a message where it can be a job's id, 1 to 2^63 - 1; else None."""
    try:
        payload: Any = message.decode()  # type: ignore[no-untyped-call]
        args = payload["args"] if isinstance(payload, dict) else payload[0]
        (job_id,) = args
    except Exception:  # noqa: BLE001 - whatever a hostile body raises, it names no job
        return None
    is_id = isinstance(job_id, int) and not isinstance(job_id, bool) and 1 <= job_id <= MAX_JOB_ID
    return job_id if is_id else None


def keep_only(message: Message, job_id: int) -> None:
    """Rewrite a message as if our own scheduler had sent it."""
    task_id = _read_uuid(message)
    message.headers = {
        "lang": "py",
        "task": SCORE_TASK,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "argsrepr": f"({job_id},)",
        "kwargsrepr": "{}",
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [None, None],
        "ignore_result": True,
    }
    message.properties = {"correlation_id": task_id, "delivery_tag": message.delivery_tag}
    message.body = json.dumps([[job_id], {}, {}]).encode()
    message.content_type, message.content_encoding = "application/json", "utf-8"
    message._decoded_cache = None  # noqa: SLF001 - else the pool would be handed what was decoded above


def refuse_commands() -> None:
    """Forget every remote command of Celery's that does more than look."""
    for name in set(control.Panel.data) - ALLOWED_COMMANDS:
        del control.Panel.data[name]
    greet = control.hello
    # What another worker has revoked comes with its greeting, and is forgotten here.
    control.Panel.data["hello"] = lambda state, from_node, **_: greet(state, from_node)


def forget_builtins(app: Celery) -> None:
    """Forget Celery's own tasks: `celery.map` and others would run ours inside theirs, with their limits."""
    app.finalize()
    for name in [name for name in app.tasks if name != SCORE_TASK]:
        app.tasks.unregister(name)


def _read_uuid(message: Message) -> str:
    try:
        return str(UUID(message.headers["id"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        return str(uuid4())
