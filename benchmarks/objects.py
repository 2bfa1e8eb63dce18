"""A bucket of very many tiny objects: how long the real scheduler needs, and whether its memory and the queue stay small.

python benchmarks/objects.py [--objects N] [--limit-s S] [--no-metadata]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from typing import Any

from protocol import print_protocol
from redis import Redis
from sqlalchemy import func, select, update

from config.queues import LANES, celery_settings, lane_queue
from config.settings import Settings
from db import Engine, history
from db.columns import db_now
from db.engine import make_engine, reading
from db.reasons import JobState, Reason
from db.schema import jobs, recordings

ROOT = Path(__file__).resolve().parent.parent
AS_DRAIN = "--as-drain"
N_PUTTERS, PUT_BATCH, DRAIN_BATCH = 4, 500, 200
CRONTAB, SWEEP_S, REDELIVER_S, LOOK_S = "* * * * *", 1.0, 2.0, 0.25
HOLD_S = 20.0  # nobody takes a message for so long after the first one, while the pump publishes again and again
KEY_PREFIX = "tonalog:"  # config.queues: global_keyprefix


@dataclass
class Watched:
    """What was seen of the scheduler's memory and of the queue, look by look."""

    at_s: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    n_waiting: list[int] = field(default_factory=list)
    n_known: list[int] = field(default_factory=list)
    n_done: list[int] = field(default_factory=list)

    def span_s(self, counted: list[int], n: int) -> float:
        """Seconds from the last look that saw none to the first that saw `n`."""
        last_none = max((at for at, count in zip(self.at_s, counted, strict=True) if count == 0), default=0.0)
        return next(at for at, count in zip(self.at_s, counted, strict=True) if count >= n) - last_none


def main() -> int:
    """Fill a bucket, let the scheduler find and publish everything, and print what that took."""
    if AS_DRAIN in sys.argv:
        return be_drain()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--limit-s", type=float, default=1800.0, help="give up after so long, uploads not counted")
    parser.add_argument(
        "--no-metadata", action="store_true", help="TONALOG_OBJECT_METADATA=false: no HEAD for each object"
    )
    options = parser.parse_args()
    print_protocol(
        f"{options.objects} objects of a few bytes in SeaweedFS; the real scheduler scans, registers and publishes them",
        order=f"one run; a sweep every {SWEEP_S:.0f} s, redelivered after {REDELIVER_S:.0f} s, a look every {LOOK_S} s; nobody "
        f"takes a message for {HOLD_S:.0f} s, then {DRAIN_BATCH} at a time, their jobs ended in one statement, since "
        "workers are measured by queues.py",
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        variables, redis = stack.enter_context(servers(folder))
        variables["TONALOG_OBJECT_METADATA"] = str(not options.no_metadata)
        begun_s = time.monotonic()
        fill(variables, options.objects)
        print(
            f"put       {options.objects / (time.monotonic() - begun_s):.0f} objects/s by {N_PUTTERS} clients",
            flush=True,
        )
        environment = {**os.environ, **variables}
        subprocess.run([sys.executable, "-P", "-m", "tonalog", "db", "upgrade"], env=environment, cwd=ROOT, check=True)
        settings = Settings.read(**{name.removeprefix("TONALOG_").lower(): v for name, v in variables.items()})
        log = folder / "processes.log"
        scheduler = stack.enter_context(running([sys.executable, "-P", "-m", "tonalog", "scheduler"], environment, log))
        drain = stack.enter_context(running([sys.executable, __file__, AS_DRAIN], environment, log))
        try:
            watched = watch(settings, redis, (scheduler, drain), n_objects=options.objects, limit_s=options.limit_s)
        except (RuntimeError, TimeoutError):
            print(f"scheduler's exit code {scheduler.poll()}, drain's {drain.poll()}; the end of their log:")
            print("\n".join(log.read_text(encoding="utf-8").splitlines()[-20:]))
            raise
    return tell(watched, n_objects=options.objects, cap=settings.queue_cap)


@contextmanager
def servers(folder: Path) -> Iterator[tuple[dict[str, str], Redis]]:
    """Start the test suite's three servers; give the variables that point to them, and a client of the broker."""
    sys.path.insert(0, str(ROOT / "tests"))
    from servers import PostgresServer, RedisServer, S3Server  # noqa: PLC0415

    postgres, broker, store = PostgresServer(), RedisServer(is_persistent=True), S3Server()
    try:
        for server in (postgres, broker, store):
            server.start()
        access = store.access("objects")
        access.client().create_bucket(Bucket=access.bucket)
        variables = {
            "TONALOG_HOME": str(folder),
            "TONALOG_DATABASE_URL": postgres.url,
            "TONALOG_BROKER_URL": broker.url,
            "TONALOG_STORAGE_URL": f"s3://{access.bucket}",
            "TONALOG_S3_ENDPOINT_URL": access.endpoint_url,
            "TONALOG_S3_ACCESS_KEY": access.access_key,
            "TONALOG_S3_SECRET_KEY": access.secret_key,
            "TONALOG_NIGHTLY_CRONTAB": CRONTAB,
            "TONALOG_SWEEP_S": str(SWEEP_S),
            "TONALOG_REDELIVER_S": str(REDELIVER_S),
        }
        yield variables, broker.connect()
    finally:
        for server in (store, broker, postgres):
            server.close()


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for as long as this context lasts."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def fill(variables: dict[str, str], n_objects: int) -> None:
    """Put the objects, from several processes."""
    starts = range(0, n_objects, PUT_BATCH)
    with ProcessPoolExecutor(N_PUTTERS) as putters:
        list(putters.map(put, [variables] * len(starts), starts, [min(n + PUT_BATCH, n_objects) for n in starts]))


def put(variables: dict[str, str], first: int, end: int) -> None:
    """Put the objects from `first` to before `end`."""
    import boto3  # noqa: PLC0415

    client = boto3.client(
        "s3",
        endpoint_url=variables["TONALOG_S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=variables["TONALOG_S3_ACCESS_KEY"],
        aws_secret_access_key=variables["TONALOG_S3_SECRET_KEY"],
    )
    for number in range(first, end):
        client.put_object(Bucket="objects", Key=f"person-{number % 500}/{number:07}.wav", Body=b"%d" % number)


def watch(
    settings: Settings, redis: Redis, processes: tuple[subprocess.Popen[bytes], ...], *, n_objects: int, limit_s: float
) -> Watched:
    """Look at the first process, queue and ledger until every job has ended."""
    engine, seen, begun_s = make_engine(settings.database), Watched(), time.monotonic()
    queues = [KEY_PREFIX + lane_queue(lane) for lane in LANES]
    while not seen.n_done or seen.n_done[-1] < n_objects:
        passed_s = time.monotonic() - begun_s
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("the scheduler or the drain has ended")
        if passed_s > limit_s:
            raise TimeoutError(
                f"{seen.n_known[-1]} of {n_objects} were registered and {seen.n_done[-1]} jobs had ended"
            )
        seen.at_s.append(passed_s)
        seen.rss_mib.append(rss_mib(processes[0].pid))
        lengths: list[Any] = [redis.llen(queue) for queue in queues]
        seen.n_waiting.append(sum(lengths))
        seen.n_known.append(count_recordings(engine))
        seen.n_done.append(history.counts(engine).by_state.get(JobState.CANCELLED, 0))
        time.sleep(LOOK_S)
    return seen


def rss_mib(pid: int) -> float:
    """Read what a process holds in memory, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def count_recordings(engine: Engine) -> int:
    """Count what is registered."""
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(recordings)) or 0


def tell(seen: Watched, *, n_objects: int, cap: int) -> int:
    """Print the figures; 1 when the queue ever held more than its cap."""
    scan_s, publish_s = seen.span_s(seen.n_known, n_objects), seen.span_s(seen.n_done, n_objects)
    tenths = [seen.rss_mib[len(seen.rss_mib) * part // 10] for part in range(10)] + seen.rss_mib[-1:]
    busy = [
        index for index, known in enumerate(seen.n_known) if known > n_objects / 10
    ]  # imported and connected by then
    slope, _ = linear_regression([seen.at_s[index] for index in busy], [seen.rss_mib[index] for index in busy])
    print(
        f"register  {scan_s:.0f} s for {n_objects} objects, {n_objects / scan_s:.0f}/s (list, HEAD unless --no-metadata, and insert)"
    )
    print(f"publish   {publish_s:.0f} s from the first to the last job, {n_objects / publish_s:.0f}/s")
    print(
        f"memory    scheduler's peak {max(seen.rss_mib):.0f} MiB, {slope * 60:+.2f} MiB a minute once a tenth was registered"
    )
    print(f"          by tenths of the run: {', '.join(f'{rss:.0f}' for rss in tenths)} MiB")
    print(f"queue     at most {max(seen.n_waiting)} messages in {len(seen.n_waiting)} looks; the cap is {cap}")
    return 0 if max(seen.n_waiting) <= cap else 1


def be_drain() -> int:
    """Take messages as they come and end their jobs, many in one statement; no worker does it like this."""
    from celery import Celery  # noqa: PLC0415

    settings = Settings.read()
    app = Celery("tonalog.bench", set_as_current=False)
    app.conf.update(celery_settings(settings))
    engine = make_engine(settings.database)
    with app.connection_for_read() as connection, connection.channel() as channel:
        queues = [app.amqp.queues.select_add(lane_queue(lane)).bind(channel) for lane in LANES]
        for queue in queues:
            queue.declare()
        while not any(channel.queue_declare(queue=queue.name).message_count for queue in queues):
            time.sleep(LOOK_S)
        time.sleep(HOLD_S)
        while True:
            taken = [message for queue in queues if (message := queue.get(no_ack=True)) is not None]
            while taken and len(taken) < DRAIN_BATCH and (message := queues[0].get(no_ack=True)) is not None:
                taken.append(message)
            end_jobs(engine, [json.loads(message.body)[0][0] for message in taken])
            if not taken:
                time.sleep(LOOK_S)


def end_jobs(engine: Engine, job_ids: list[int]) -> None:
    """Take jobs out of the ledger's way."""
    waiting = update(jobs).where(jobs.c.id.in_(job_ids), jobs.c.state == JobState.QUEUED)
    ended = {"state": JobState.CANCELLED, "reason": Reason.CANCELLED, "finished_at": db_now()}
    with engine.begin() as connection:
        connection.execute(waiting.values(ended))


if __name__ == "__main__":
    sys.exit(main())
