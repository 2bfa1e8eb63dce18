"""Jobs a second through ledger and queue alone: published, claimed and finished by a real worker that scores nothing.

python -m benchmarks.queues [--jobs N] [--rounds N] [--pump-s S]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.process_time import read_cpu_s
from benchmarks.protocol import print_protocol
from config.queues import LANES, SCORE_TASK, celery_settings, lane_queue, prepare_folders
from config.settings import Settings
from db import Engine, history, jobs, ledger, migrate, models, recordings
from db.engine import make_engine
from db.reasons import JobState, Lane, ResultStatus
from db.rows import NewModel, NewRecording, NewResult
from db.schema import EMOTIONS
from scheduler.app import make_app
from scheduler.publish import publish_due

ROOT = Path(__file__).resolve().parent.parent
AS_WORKER = "--as-worker"
PROCESSES = {"sqlite": 2, "postgresql": 4}
WARM_UP = 64
NOTHING = NewResult(status=ResultStatus.NO_SPEECH, duration_ms=8000, speech_ms=0, rejected_ms=0, n_windows=0)


def main() -> int:
    """Measure both stacks in turn, or be the worker of one."""
    if AS_WORKER in sys.argv:
        return be_worker()
    options = read_options()
    print_protocol(
        f"{options.jobs} jobs a run, {options.rounds} runs of each stack, {PROCESSES} worker processes, a pump every "
        f"{options.pump_s} s with at most {Settings().queue_cap} outstanding; medians",
        order="the stacks in turn; the clock begins when the worker has done its first jobs, so no start-up is in it",
    )
    for name, found in measure(n_jobs=options.jobs, n_rounds=options.rounds, pump_s=options.pump_s).items():
        print(f"{name:<32}{found:>8.2f}")
    return 0


def measure(*, n_jobs: int = 3000, n_rounds: int = 3, pump_s: float = 0.25) -> dict[str, float]:
    """Measure both stacks in turn.

    Returns:
        Of each the median of jobs a second of wall time, of milliseconds of processor time that all processes together
        (worker, pump and servers) spend on a job, and of jobs a second that this machine's cores could do by that.
    """
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in PROCESSES}
    with servers() as (database_url, broker_url, roots), tempfile.TemporaryDirectory() as folder:
        for number in range(n_rounds):
            home = Path(folder) / str(number)
            embedded = Settings(home=home / "embedded", worker_concurrency=PROCESSES["sqlite"])
            served = {"database_url": database_url(), "broker_url": broker_url}
            production = Settings(home=home / "served", worker_concurrency=PROCESSES["postgresql"], **served)
            runs["sqlite"].append(run(embedded, n_jobs=n_jobs, pump_s=pump_s, roots=[]))
            runs["postgresql"].append(run(production, n_jobs=n_jobs, pump_s=pump_s, roots=roots))
    figures = {"load": os.getloadavg()[0]}
    for name, found in runs.items():
        figures[f"{name}_jobs_per_s"] = median(rate for rate, _ in found)
        figures[f"{name}_cpu_ms_per_job"] = median(cpu_ms for _, cpu_ms in found)
        figures[f"{name}_jobs_per_s_of_idle_cores"] = 1000 * (os.cpu_count() or 1) / figures[f"{name}_cpu_ms_per_job"]
    return figures


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pump-s", type=float, default=0.25, help="seconds between pumps")
    return parser.parse_args()


@contextmanager
def servers() -> Iterator[tuple[Callable[[], str], str, list[int]]]:
    """Start the test suite's PostgreSQL and Redis; give a maker of empty databases' URLs, the broker's URL and their processes."""
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
        yield new_database, redis.url, [postgres.pid, redis.pid]
    finally:
        redis.close()
        postgres.close()


def run(settings: Settings, *, n_jobs: int, pump_s: float, roots: list[int]) -> tuple[float, float]:
    """Fill a fresh ledger and let a worker empty it.

    Args:
        settings: of the stack.
        n_jobs: how many.
        pump_s: seconds between pumps.
        roots: servers whose processor time counts.

    Returns:
        Jobs a second, and ms of processor time a job.
    """
    prepare_folders(settings)
    engine = make_engine(settings.database, n_pooled=1)
    migrate.upgrade(engine)
    fill(engine, n_jobs)
    app = make_app(settings)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "benchmarks.queues", AS_WORKER]
    worker = subprocess.Popen(command, env={**os.environ, **settings.as_environment()}, cwd=ROOT, **quiet)  # type: ignore[call-overload]
    roots = [*roots, worker.pid]
    try:
        while not count_done(engine):  # until its processes are up
            publish_due(engine, app, queue_cap=min(WARM_UP, n_jobs))
            require_alive(worker)
            time.sleep(pump_s)
        n_before, own_s, spent_s, began_s = count_done(engine), time.process_time(), read_cpu_s(roots), time.monotonic()
        while (n_done := count_done(engine)) < n_jobs:
            publish_due(engine, app, queue_cap=settings.queue_cap)
            require_alive(worker)
            time.sleep(pump_s)
        wall_s = time.monotonic() - began_s
        cpu_s = read_cpu_s(roots) - spent_s + time.process_time() - own_s
    finally:
        worker.terminate()
        worker.wait()
        engine.dispose()
    return (n_done - n_before) / wall_s, 1000 * cpu_s / (n_done - n_before)


def count_done(engine: Engine) -> int:
    """Count the jobs that are DONE."""
    return history.counts(engine).by_state.get(JobState.DONE, 0)


def require_alive(worker: subprocess.Popen[bytes]) -> None:
    """Check that the worker is still there.

    Raises:
        RuntimeError: it has ended.
    """
    if worker.poll() is not None:
        raise RuntimeError(f"the worker ended with {worker.returncode}")


def fill(engine: Engine, n_jobs: int) -> None:
    """Register recordings that nobody will read, and make their jobs."""
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
