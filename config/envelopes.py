"""Check every message of the broker before kombu unpacks it, so that whoever writes into a queue cannot stop who reads it.

kombu and Celery believe every message: they unpack what it calls compressed, look for fields that must be there,
and end the process where one is missing. So a message is written anew here from the few fields that ours have, and
dropped where one of them is not what it must be.
"""

from __future__ import annotations

import base64
import json
import logging
import math
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from config.queues import JOBS_PER_MESSAGE, LANES, NIGHTLY_TASK, SCHEDULER_QUEUE, SCORE_TASK, TICK_TASK, lane_queue

_log = logging.getLogger(__name__)
MAX_JOB_ID: Final = 2**63 - 1
MAX_BODY_CHARS: Final = 1 << 20
"""A message of 16 jobs has some hundred; what one worker tells another when it starts, some thousand."""
MAX_TEXT_CHARS: Final = 255
ALLOWED_COMMANDS: Final = frozenset(
    {"hello", "ping", "heartbeat", "report", "stats", "active", "reserved", "active_queues"}
)
"""Remote commands that only look. What changes limits, consumers, pool or rate, or ends a process, is not known."""
TASKS_OF: Final[Mapping[str, frozenset[str]]] = {
    **{lane_queue(lane): frozenset({SCORE_TASK}) for lane in LANES},
    SCHEDULER_QUEUE: frozenset({TICK_TASK, NIGHTLY_TASK}),
}
"""The tasks that a queue may name."""
_COMMAND_QUEUE, _REPLY_QUEUE, _EVENT_QUEUE = ".celery.pidbox", ".reply.celery.pidbox", "celeryev."
_REPLY_EXCHANGE = "reply.celery.pidbox"
_WORKER_EVENTS = frozenset({"worker-online", "worker-heartbeat", "worker-offline"})
_EVENT_NUMBERS = ("timestamp", "clock", "pid", "utcoffset", "freq", "active", "processed")


class Refused(Exception):
    """A message that is none of ours; its text says why, and quotes nothing of it."""


class Checked:
    """What a kombu transport needs to drop messages that are none of ours; stands before it among the base classes."""

    def _deliver(self, message: Any, queue: str) -> None:
        """Hand on a message that was written anew, or drop it: it has left the queue and is acknowledged to nobody."""
        try:
            envelope = read_envelope(message, queue)
        except Refused as refusal:
            _log.warning("message dropped: %s", refusal)
            return
        super()._deliver(envelope, queue)  # type: ignore[misc]


def read_envelope(message: Any, queue: str) -> dict[str, Any]:
    """Write a message anew from what ours have.

    Args:
        message: as kombu's transports hand it on: parsed JSON.
        queue: from which it came.

    Raises:
        Refused: It is none that we send.
    """
    headers, properties = _read_dict(message, "headers"), _read_dict(message, "properties")
    if message.get("content-type") != "application/json" or "compression" in headers:
        raise Refused("it is no plain JSON")
    body = _read_body(message.get("body"), properties.get("body_encoding"))
    if queue in TASKS_OF:
        headers, body = _make_task(headers, body, queue)
    else:
        headers, body = _keep_scalars(headers), _check_talk(body, queue)
    delivery = _read_dict(properties, "delivery_info")
    return {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": {
            "delivery_tag": _read_text(properties, "delivery_tag"),
            "delivery_info": {name: _read_text(delivery, name) for name in ("exchange", "routing_key")},
            "body_encoding": "base64",
            "correlation_id": headers.get("id"),
        },
    }


def read_job_ids(body: Any) -> list[int]:
    """Return the arguments of a message where each can be a job's id, 1 to 2^63 - 1.

    >>> read_job_ids([[7, 9], {}, {}])
    [7, 9]

    Raises:
        Refused: It names no job, too many, or something else.
    """
    args = body[0] if isinstance(body, list) and body else None
    if not isinstance(args, list) or not 1 <= len(args) <= JOBS_PER_MESSAGE:
        raise Refused(f"it does not name 1 to {JOBS_PER_MESSAGE} jobs")
    for job_id in args:
        if not isinstance(job_id, int) or isinstance(job_id, bool) or not 1 <= job_id <= MAX_JOB_ID:
            raise Refused("it names no job")
    return args


def _make_task(headers: dict[str, Any], body: Any, queue: str) -> tuple[dict[str, Any], Any]:
    task = headers.get("task")
    if not isinstance(task, str) or task not in TASKS_OF[queue]:
        raise Refused("its task is not one of this queue")
    args = read_job_ids(body) if task == SCORE_TASK else []
    task_id, expires = _read_uuid(headers.get("id")), headers.get("expires")
    made = {
        "lang": "py",
        "task": task,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "argsrepr": repr(tuple(args)),
        "kwargsrepr": "{}",
        "retries": 0,
        "eta": None,
        # Of a tick only: a job's message that is late is as good as one that is not.
        "expires": expires if args == [] and isinstance(expires, str) and len(expires) <= MAX_TEXT_CHARS else None,
        "timelimit": [None, None],
        "ignore_result": True,
    }
    return made, [args, {}, {}]


def _check_talk(body: Any, queue: str) -> Any:
    """Check what workers tell each other, and what `celery inspect` asks them."""
    if not isinstance(body, dict):
        raise Refused("it is no object")
    if queue.startswith(_EVENT_QUEUE):
        return _make_event(body)
    if queue.endswith(_COMMAND_QUEUE) and not queue.endswith(_REPLY_QUEUE):
        return _make_command(body)
    return body


def _make_event(body: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(body.get("type"), str) or body["type"] not in _WORKER_EVENTS:
        raise Refused("its event is not one that workers send")
    numbers = {name: body[name] for name in _EVENT_NUMBERS if _is_number(body.get(name))}
    if not {"timestamp", "clock"} <= set(numbers):
        raise Refused("its event has no time")
    return {"type": body["type"], "hostname": _read_text(body, "hostname"), **numbers}


def _make_command(body: dict[str, Any]) -> dict[str, Any]:
    """Take a command that only looks. One for names of a pattern is refused: patterns can be made to take years."""
    method, arguments = body.get("method"), body.get("arguments") or {}
    destination, reply_to = body.get("destination"), body.get("reply_to")
    if not isinstance(method, str) or method not in ALLOWED_COMMANDS or not isinstance(arguments, dict):
        raise Refused("its command is not allowed")
    if body.get("pattern") or body.get("matcher") or not (destination is None or _is_list_of_texts(destination)):
        raise Refused("its command does not name whom it is for")
    made = {"method": method, "arguments": arguments, "destination": destination, "reply_to": None, "ticket": None}
    if reply_to is not None:
        if not isinstance(reply_to, dict) or reply_to.get("exchange") != _REPLY_EXCHANGE:
            raise Refused("its command wants to be answered elsewhere")
        made["reply_to"] = {"exchange": _REPLY_EXCHANGE, "routing_key": _read_text(reply_to, "routing_key")}
        made["ticket"] = _read_text(body, "ticket")
    return made


def _read_body(body: Any, encoding: Any) -> Any:
    if not isinstance(body, str) or len(body) > MAX_BODY_CHARS or encoding not in (None, "base64", "utf-8"):
        raise Refused("its body is no text, or too long")
    try:
        return json.loads(base64.b64decode(body, validate=True) if encoding == "base64" else body)
    except (ValueError, RecursionError) as error:
        raise Refused("its body is no JSON") from error


def _read_dict(holder: Any, name: str) -> dict[str, Any]:
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, dict):
        raise Refused(f"it has no {name}")
    return value


def _read_text(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS or not value.isprintable():
        raise Refused(f"its {name} is no text of at most {MAX_TEXT_CHARS} characters")
    return value


def _read_uuid(value: Any) -> str:
    try:
        return str(UUID(value))
    except (AttributeError, TypeError, ValueError):
        return str(uuid4())


def _keep_scalars(headers: dict[str, Any]) -> dict[str, Any]:
    texts = {name: value for name, value in headers.items() if isinstance(value, str) and len(value) <= MAX_TEXT_CHARS}
    return texts | {name: value for name, value in headers.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    is_known = isinstance(value, int | float) and not isinstance(value, bool)
    return is_known and math.isfinite(value) and abs(value) <= MAX_JOB_ID


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)
