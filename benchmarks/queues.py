"""Jobs a second through ledger and queue alone: published, claimed and finished by a real worker that scores nothing.

python benchmarks/queues.py [--jobs N] [--rounds N] [--processes N] [--pump-s S]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from protocol import print_protocol

from config.queues import LANES, SCORE_TASK, celery_settings, lane_queue, prepare_folders
from config.settings import Settings
from db import history, jobs, ledger, migrate, models, recordings
from db.engine import make_engine
from db.reasons import JobState, Lane, ResultStatus
from db.rows import NewModel, NewRecording, NewResult
from db.schema import EMOTIONS
from scheduler.app import make_app
from scheduler.publish import publish_due

ROOT = Path(__file__).resolve().parent.parent
AS_WORKER = "--as-worker"
NOTHING = NewResult(status=ResultStatus.NO_SPEECH, duration_ms=8000, speech_ms=0, rejected_ms=0, n_windows=0)


def main() -> int:
    """Measure both stacks in turn, or be the worker of one."""
    if AS_WORKER in sys.argv:
        return be_worker()
    options = read_options()
    print_protocol(
        f"{options.jobs} jobs a run, {options.rounds} runs of each stack, {options.processes} worker processes, "
        f"a pump every {options.pump_s} s with at most {Settings().queue_cap} outstanding; median jobs/s (all)",
        order="the stacks in turn; the clock runs from the first claim to the last finish, so no start-up is in it",
    )
    rates: dict[str, list[float]] = {"file queue + SQLite": [], "Redis + PostgreSQL": []}
    with servers() as (database_url, broker_url), tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            home = Path(folder) / str(number)
            embedded = Settings(home=home / "embedded", worker_concurrency=options.processes)
            served = {"database_url": database_url(), "broker_url": broker_url}
            production = Settings(home=home / "served", worker_concurrency=options.processes, **served)
            for name, settings in zip(rates, (embedded, production), strict=True):
                rates[name].append(measure(settings, n_jobs=options.jobs, pump_s=options.pump_s))
    print()
    for name, found in rates.items():
        print(f"{name:<22}{median(found):>8.1f} jobs/s   ({', '.join(f'{rate:.1f}' for rate in found)})")
    print(f"The pump itself lets at most {Settings().queue_cap / Settings().sweep_s:.1f} jobs/s through by default.")
    return 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pump-s", type=float, default=0.25, help="seconds between pumps")
    return parser.parse_args()


@contextmanager
def servers() -> Iterator[tuple[object, str]]:
    """Start the test suite's PostgreSQL and Redis; give a maker of empty databases' URLs and the broker's URL."""
    sys.path.insert(0, str(ROOT / "tests"))
    from servers import PostgresServer, RedisServer  # noqa: PLC0415

    postgres, redis = PostgresServer(), RedisServer(is_persistent=True)
    n_made = 0

    def new_database() -> str:
        nonlocal n_made
        n_made += 1
        with postgres.connect() as connection:
            connection.execute(f"CREATE DATABASE bench_{n_made}".encode())
        return postgres.url_of(f"bench_{n_made}")

    try:
        postgres.start()
        redis.start()
        yield new_database, redis.url
    finally:
        redis.close()
        postgres.close()


def measure(settings: Settings, *, n_jobs: int, pump_s: float) -> float:
    """Fill a fresh ledger, let a worker empty it, and return jobs a second."""
    prepare_folders(settings)
    engine = make_engine(settings.database)
    migrate.upgrade(engine)
    fill(settings, n_jobs)
    app = make_app(settings)
    worker = subprocess.Popen(
        [sys.executable, __file__, AS_WORKER],
        env={**os.environ, **settings.as_environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while history.counts(engine).by_state.get(JobState.DONE, 0) < n_jobs:
            if worker.poll() is not None:
                raise RuntimeError(f"the worker ended with {worker.returncode}")
            publish_due(engine, app, queue_cap=settings.queue_cap)
            time.sleep(pump_s)
    finally:
        worker.terminate()
        worker.wait()
    done = [attempt for job_id in range(1, n_jobs + 1) for attempt in history.attempts_of(engine, job_id)]
    first, last = min(one.started_at for one in done), max(one.ended_at for one in done if one.ended_at is not None)
    return n_jobs / (last - first).total_seconds()


def fill(settings: Settings, n_jobs: int) -> None:
    """Register recordings that nobody will read, and make their jobs."""
    engine = make_engine(settings.database)
    new = NewModel(name="none", version="0", sha256="0" * 64, labels=EMOTIONS, manifest={}, folder="none")
    model = models.activate(engine, models.add_model(engine, new).id)
    names = [f"{number:07}.wav" for number in range(n_jobs)]
    known = {"store": "local", "bucket": "none", "version_tag": "0", "size_bytes": 0, "uploaded_at": datetime.now(UTC)}
    recordings.register(engine, [NewRecording(key=name, **known) for name in names])
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)


def be_worker() -> int:
    """Claim and finish as the worker does, with nothing in between."""
    from celery import Celery  # noqa: PLC0415

    settings = Settings.read()
    if settings.is_embedded_broker:
        tempfile.tempdir = str(settings.home / "queue" / "moved")
    app = Celery("tonalog.bench", set_as_current=False)
    app.conf.update(celery_settings(settings))
    engine = make_engine(settings.database, n_pooled=1, n_passing=1)

    def score(*job_ids: int) -> None:
        claims = ledger.claim_together(engine, job_ids, worker=str(os.getpid()), lease_s=settings.lease_s)
        if claims:
            ledger.finish_together(
                engine, [ledger.Ending(claim=claim, result=NOTHING, wall_ms=0, peak_rss_kib=0) for claim in claims]
            )

    app.task(name=SCORE_TASK)(score)
    queues = f"--queues={','.join(lane_queue(lane) for lane in LANES)}"
    arguments = ["worker", queues, f"--concurrency={settings.worker_concurrency}", "--loglevel=ERROR", "-O", "fair"]
    app.worker_main(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
