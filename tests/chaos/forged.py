"""Forged messages: what somebody who may write into the queue, and nowhere else, can put there.

The broker's own bookkeeping (its lists of bindings and of unacknowledged messages on Redis) is not forged: who may
write there may as well delete every message, which the fault "broker flushed" does.
"""

from __future__ import annotations

import base64
import json
import pickle
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

from config.queues import LANES, NIGHTLY_TASK, SCHEDULER_QUEUE, SCORE_TASK, TICK_TASK, lane_queue

FORGED_LINE = "2026-01-01 00:00:00,000 ERROR forged line"
"""A log line that only a forger writes: harm is done where one begins with it."""
LONG_TEXT = f"\n{FORGED_LINE}" * 2_000
HUGE_TEXT = f"\n{FORGED_LINE}" * 20_000  # 0.8 MB
NO_IDS: tuple[object, ...] = (0, -1, 2**63, 2**200, -(2**63), 1.5, float("nan"), float("inf"), None, True, "", {}, [])
LIMITS: tuple[object, ...] = (
    [None, 0.05],
    [0.05, None],
    [0.05, 0.01],
    [0.01, 0.01],
    [-1, -1],
    [0, 0],
    ["x", {}],
    7,
    "x",
)
TASKS: tuple[object, ...] = (
    *("celery.chord_unlock", "celery.map", "celery.starmap", "celery.chunks", "celery.chain", "celery.group"),
    *("celery.backend_cleanup", "celery.accumulate", NIGHTLY_TASK, TICK_TASK, "no.such.task", "os.system"),
    *("", None, 7, [], {}, f"x\n{FORGED_LINE}"),
)
QUEUES = (*map(lane_queue, LANES), SCHEDULER_QUEUE)
Forged = tuple[str, bytes]
"""A queue and what is put into it."""


def forge_limits(job_ids: list[int], rng: random.Random, _marker: Path) -> list[Forged]:
    """Name real jobs, three times each, with time limits of our choice, retries, a far time and one that has passed."""
    forged = []
    for job_id in job_ids * 3:
        headers: dict[str, object] = {"timelimit": rng.choice(LIMITS)}
        if rng.random() < 0.3:
            headers |= {"eta": rng.choice(("2999-01-01T00:00:00", "0001-01-01T00:00:00", "x", 7))}
        if rng.random() < 0.3:
            headers |= {"expires": rng.choice(("2999-01-01T00:00:00", "2000-01-01T00:00:00", -1, {}))}
        if rng.random() < 0.3:
            headers |= {"retries": rng.choice((10**9, -1, "x")), "group": str(uuid4()), "ignore_result": False}
        forged.append(_dump(rng.choice(QUEUES[:-1]), _message([job_id], **headers)))
    return forged


def forge_ids(job_ids: list[int], rng: random.Random, _marker: Path) -> list[Forged]:
    """Name no job: what is no id, ids that nobody has, and real ones in a wrong shape; and one message many times."""
    forged: list[object] = [*([value] for value in NO_IDS), [max(job_ids) + 10**6], [], None, "x", 7, {"job_id": 1}]
    for job_id in job_ids:
        forged += [[float(job_id) + 0.5], [str(job_id)], [[job_id]], [job_id, job_id], [f"{job_id}\n{FORGED_LINE}"]]
    messages = [_message(args, argsrepr=f"{args}\n{FORGED_LINE}") for args in forged]
    repeated = _message([rng.choice(job_ids)])
    return [_dump(rng.choice(QUEUES), message) for message in (*messages, *[repeated] * 5)]


def forge_tasks(job_ids: list[int], rng: random.Random, _marker: Path) -> list[Forged]:
    """Name other tasks, hang further tasks onto ours, and fill every text with lines for the log."""
    task_id = str(uuid4())
    further = {"task": SCORE_TASK, "args": [job_ids[0]], "kwargs": {}, "options": {"time_limit": 0.05}}
    embeds: list[object] = [
        {"callbacks": [further], "errbacks": [further], "chain": [further], "chord": further},
        {"chain": [{"task": "celery.backend_cleanup", "args": [], "kwargs": {}}] * 100},
        {"callbacks": 7, "errbacks": "x", "chain": {}},
        [],
        7,
    ]
    texts = ("id", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "lang", "shadow", "reply_to", "group")
    messages = [_message([rng.choice(job_ids)], task=task) for task in TASKS]
    messages += [_message([[job_ids], further], task="celery.map"), _message([job_ids], kwargs={"job_id": 1, "x": 2})]
    messages += [_message([rng.choice(job_ids)], embed=embed) for embed in embeds]
    messages += [
        _message([rng.choice(job_ids)], **dict.fromkeys(texts, text)) for text in (LONG_TEXT, HUGE_TEXT, 7, {})
    ]
    messages += [_message([job_id], id=task_id) for job_id in job_ids]  # two jobs with one message's id
    return [_dump(rng.choice(QUEUES), message) for message in messages]


def forge_envelopes(job_ids: list[int], rng: random.Random, marker: Path) -> list[Forged]:
    """Break what the broker's client reads: JSON, types, encodings, compression; and send a pickle that makes `marker`."""
    sound = _message(job_ids[:1])
    properties = sound["properties"]
    pickled = base64.b64encode(pickle.dumps(_Opens(marker))).decode()
    junk = base64.b64encode(rng.randbytes(64)).decode()
    deep = base64.b64encode(b"[" * 50_000).decode()
    changes: list[dict[str, object]] = [
        *({"content-type": kind, "body": pickled} for kind in ("application/x-python-serialize", "pickle")),
        *({"content-type": kind} for kind in ("application/x-yaml", "application/data", "no/type", "", None, 7, [])),
        *({"content-encoding": name} for name in ("binary", "nope", "idna", None, 7)),
        *({"headers": headers} for headers in (None, [], "x", 7, {}, {"task": None}, {"task": SCORE_TASK})),
        *({"body": body} for body in (None, 7, [], {}, "", "no base64 \u00e9", pickled, junk, deep)),
        *({"properties": value} for value in (None, [], "x", 7, {}, {"delivery_tag": "x"})),
        *({"properties": {**properties, "body_encoding": name}} for name in ("nope", None, 7, [])),
        *({"properties": {**properties, "delivery_info": info}} for info in (None, [], "x", {"priority": "x"})),
        *({"properties": {**properties, "delivery_tag": tag}} for tag in (None, 7, [], {}, LONG_TEXT)),
        *({"properties": {**properties, "priority": value}} for value in ("x", -1, 2**70, [])),
        *(
            {"headers": {**sound["headers"], "compression": name}}
            for name in ("application/x-gzip", "zstd", "nope", 7, [])
        ),
    ]
    broken = [b"", b"{", b"null", b"7", b'"x"', b"[]", b"{}", b"\xff\xfe", rng.randbytes(100), b"[" * 50_000, b"{}" * 9]
    broken += [json.dumps({**sound, **change}).encode() for change in changes]
    broken += [json.dumps({name: value for name, value in sound.items() if name != left}).encode() for left in sound]
    return [(rng.choice(QUEUES), content) for content in broken]


def commands(job_ids: list[int]) -> list[tuple[str, dict[str, Any]]]:
    """Return remote commands that change limits, consumers, pools or rates, forget messages, or end processes."""
    queues = [("cancel_consumer", {"queue": queue}) for queue in QUEUES]
    ended = [
        ("revoke", {"task_id": str(uuid4()), "terminate": True}),
        ("terminate", {"task_id": "x", "signal": "KILL"}),
    ]
    rates = [("rate_limit", {"task_name": task, "rate_limit": "1/h"}) for task in (SCORE_TASK, TICK_TASK, NIGHTLY_TASK)]
    limits = [("time_limit", {"task_name": SCORE_TASK, "hard": 0.05, "soft": 0.01})]
    pools: list[tuple[str, dict[str, Any]]] = [
        ("pool_shrink", {"n": 2}),
        ("pool_grow", {"n": 50}),
        ("autoscale", {"max": 0, "min": 0}),
        ("pool_restart", {"modules": ["os"], "reload": True}),
        ("add_consumer", {"queue": f"x\n{FORGED_LINE}"}),
        ("hello", {"from_node": "x", "revoked": {str(job_id): 1 for job_id in job_ids}}),
        ("election", {"id": "x", "topic": "x", "action": {}}),
        (f"x\n{FORGED_LINE}", {}),
        ("shutdown", {}),
    ]
    return [*queues, *ended, *rates, *limits, *pools]


class _Opens:
    """An object whose pickle makes a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self._file), "w")


def _message(args: object, *, kwargs: object = None, embed: object = None, **headers: object) -> dict[str, Any]:
    task_id = str(uuid4())
    body = json.dumps([args, {} if kwargs is None else kwargs, {} if embed is None else embed])
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": SCORE_TASK, "id": task_id, "root_id": task_id, "retries": 0, **headers},
        "properties": {
            "correlation_id": task_id,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "x"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid4()),
        },
    }


def _dump(queue: str, message: dict[str, Any]) -> Forged:
    return queue, json.dumps(message).encode()
