"""The faults that a chaos run injects, each a few lines on real processes and servers; a seed decides which come when."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from config.queues import LANES, SCORE_TASK, lane_queue
from tests.chaos import forged, intruder
from tests.chaos.backends import Backend, Stack
from tests.chaos.processes import Supervised

LONGER_THAN_A_LEASE_S = (4.5, 8.0)
MAX_REPAIRED_AFTER_S = 3.0
N_REPEATED = 4
BUSY_WITHIN_S, STILL_BUSY_S = 2.0, 0.15


@dataclass
class World:
    """What faults act on; `job_ids` gives the ids of all jobs, `busy` the processes that hold one now.

    `marker` is a file that only a pickle makes, if somebody loads it; `forged` counts what reached the queue, by kind.
    """

    stack: Stack
    workers: list[Supervised]
    scheduler: Supervised
    publisher: Celery
    job_ids: Callable[[], list[int]]
    busy: Callable[[], list[int]]
    marker: Path
    forged: Counter[str] = field(default_factory=Counter)

    @property
    def up_workers(self) -> list[Supervised]:
        """Workers that take work; one that is still starting has nothing to lose."""
        return [worker for worker in self.workers if worker.is_ready]

    def can_be_hurt(self, target: str) -> bool:
        """Say whether a target is there; a fault that finds nothing would only be counted."""
        if target == "scheduler":
            return self.scheduler.is_ready
        return bool(self.up_workers) or target not in ("pool", "frozen", "worker", "control")


@dataclass(frozen=True)
class Repair:
    """How a fault ends by itself: after how many seconds, and what is done then."""

    after_s: float
    act: Callable[[], None]


@dataclass(frozen=True)
class Fault:
    """One kind of fault; two of one target never overlap, those of different targets do."""

    kind: str
    target: str
    weight: int
    act: Callable[[World, random.Random], Repair | None]

    def fits(self, backend: Backend) -> bool:
        """Say whether the backend has what this hurts."""
        has = {"redis": backend.has_redis, "postgres": backend.has_postgres, "queue folder": not backend.has_redis}
        return has.get(self.target, True)


@dataclass(frozen=True)
class Planned:
    """A fault with its moment, in seconds from the beginning, and a seed of its own."""

    at_s: float
    fault: Fault
    seed: int


def plan(backend: Backend, *, seed: int, seconds: float, every_s: float) -> list[Planned]:
    """Draw the faults of a run: about one every `every_s` seconds, and each fitting kind at least once."""
    rng = random.Random(seed)
    fitting = [fault for fault in FAULTS if fault.fits(backend)]
    n_faults = max(len(fitting), round(seconds / every_s))
    drawn = fitting + rng.choices(fitting, [fault.weight for fault in fitting], k=n_faults - len(fitting))
    rng.shuffle(drawn)
    moments = sorted(rng.uniform(0.0, seconds) for _ in drawn)
    return [Planned(at_s, fault, rng.randrange(2**32)) for at_s, fault in zip(moments, drawn, strict=True)]


def kill_child(world: World, rng: random.Random) -> None:
    """SIGKILL a pool process in the middle of a job, as the kernel's OOM killer does; an idle one if none has any."""
    _signal_pool(world, signal.SIGKILL, rng)


def freeze_child(world: World, rng: random.Random) -> Repair | None:
    """Stop a pool process until its lease has run out; then it goes on as if nothing had been."""
    victim = _signal_pool(world, signal.SIGSTOP, rng)
    if victim is None:
        return None

    def thaw() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGCONT)

    return Repair(rng.uniform(*LONGER_THAN_A_LEASE_S), thaw)


def kill_worker(world: World, rng: random.Random) -> None:
    """SIGKILL a worker with all its processes."""
    rng.choice(world.up_workers).kill_tree()


def stop_worker(number: signal.Signals, world: World, rng: random.Random) -> None:
    """Ask a worker to stop: it finishes what runs and hands back the rest."""
    rng.choice(world.up_workers).ask(number)


def kill_scheduler(world: World, _rng: random.Random) -> None:
    """SIGKILL the scheduler with its beat."""
    world.scheduler.kill_tree()


def kill_beat(world: World, rng: random.Random) -> None:
    """SIGKILL the scheduler's beat process alone."""
    world.scheduler.signal_child(signal.SIGKILL, rng)


def kill_redis(world: World, rng: random.Random) -> Repair:
    """SIGKILL the broker and start it again later."""
    redis = world.stack.redis
    assert redis is not None
    redis.kill()
    return Repair(rng.uniform(0.0, MAX_REPAIRED_AFTER_S), redis.start)


def freeze_redis(world: World, rng: random.Random) -> Repair:
    """Stop the broker: connections stay open and nothing answers."""
    redis = world.stack.redis
    assert redis is not None
    redis.pause()
    return Repair(rng.uniform(0.5, 2 * MAX_REPAIRED_AFTER_S), redis.resume)


def flush_redis(world: World, _rng: random.Random) -> None:
    """FLUSHALL: every message is gone, and the broker's own bookkeeping with them."""
    redis = world.stack.redis
    assert redis is not None
    with contextlib.suppress(RedisError), redis.connect() as client:
        client.flushall()


def kill_postgres(world: World, rng: random.Random) -> Repair:
    """SIGKILL the database server and start it again later."""
    postgres = world.stack.postgres
    assert postgres is not None
    postgres.kill()
    return Repair(rng.uniform(0.0, MAX_REPAIRED_AFTER_S), postgres.start)


def end_backends(world: World, _rng: random.Random) -> None:
    """Terminate every database connection, as a failover does."""
    postgres = world.stack.postgres
    assert postgres is not None
    with contextlib.suppress(psycopg.Error):
        postgres.kill_backends()


def kill_backend(world: World, rng: random.Random) -> None:
    """SIGKILL one database connection's process: the server goes through crash recovery."""
    postgres = world.stack.postgres
    assert postgres is not None
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    for _ in range(50):  # connections are short: look until one is there
        with contextlib.suppress(psycopg.Error, ProcessLookupError), postgres.connect() as connection:
            if pids := [row[0] for row in connection.execute(query).fetchall()]:
                os.kill(rng.choice(pids), signal.SIGKILL)
                return
        time.sleep(0.01)


def triple_messages(world: World, rng: random.Random) -> None:
    """Send the newest messages three times more, shuffled."""
    _publish(world, world.job_ids()[-N_REPEATED:] * 3, rng)


def replay_messages(world: World, rng: random.Random) -> None:
    """Send messages of any age again, of jobs in any state, in any lane."""
    known = world.job_ids()
    _publish(world, rng.sample(known, min(len(known), N_REPEATED)), rng)


def _signal_pool(world: World, number: signal.Signals, rng: random.Random) -> int | None:
    """Signal a process that is in the middle of a job; wait a little for one, since most jobs are short."""
    deadline_s = time.monotonic() + BUSY_WITHIN_S
    while True:
        pool = {pid for worker in world.up_workers for pid in worker.children()}
        before = set(world.busy())
        time.sleep(STILL_BUSY_S)
        victims = sorted(pool & before & set(world.busy()))
        if victims or time.monotonic() > deadline_s:
            break
    if not (victims or pool):
        return None
    victim = rng.choice(victims or sorted(pool))
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, number)
    return victim


def _publish(world: World, job_ids: list[int], rng: random.Random) -> None:
    rng.shuffle(job_ids)
    messages = [(job_id, lane_queue(rng.choice(LANES))) for job_id in job_ids]

    def send() -> None:
        with contextlib.suppress(OperationalError, OSError):  # the broker may be down just now
            for job_id, queue in messages:
                world.publisher.send_task(SCORE_TASK, args=[job_id], queue=queue, retry=False)

    # In a thread: a frozen broker answers only after the driver has thawed it.
    threading.Thread(target=send, name="publisher", daemon=True).start()


FAULTS = (
    Fault("pool process killed", "pool", 30, kill_child),
    Fault("pool process frozen beyond its lease", "frozen", 8, freeze_child),
    Fault("worker tree killed", "worker", 4, kill_worker),
    Fault("worker stopped by TERM", "worker", 2, partial(stop_worker, signal.SIGTERM)),
    Fault("worker stopped by INT", "worker", 1, partial(stop_worker, signal.SIGINT)),
    Fault("worker stopped by QUIT", "worker", 1, partial(stop_worker, signal.SIGQUIT)),
    Fault("scheduler killed", "scheduler", 3, kill_scheduler),
    Fault("beat killed", "scheduler", 2, kill_beat),
    Fault("broker killed", "redis", 10, kill_redis),
    Fault("broker frozen", "redis", 6, freeze_redis),
    Fault("broker flushed", "redis", 10, flush_redis),
    Fault("database killed", "postgres", 5, kill_postgres),
    Fault("all database connections ended", "postgres", 10, end_backends),
    Fault("database connection killed", "postgres", 8, kill_backend),
    Fault("messages sent three times", "messages", 10, triple_messages),
    Fault("old messages replayed", "messages", 10, replay_messages),
    Fault("forged limits of time", "messages", 10, partial(intruder.send_forged, forged.forge_limits)),
    Fault("forged ids", "messages", 5, partial(intruder.send_forged, forged.forge_ids)),
    Fault("forged tasks and texts", "messages", 5, partial(intruder.send_forged, forged.forge_tasks)),
    Fault("forged envelopes", "messages", 5, partial(intruder.send_forged, forged.forge_envelopes)),
    Fault("remote commands", "control", 8, intruder.give_commands),
    Fault("junk in the queue's folder", "queue folder", 8, intruder.leave_junk),
)
