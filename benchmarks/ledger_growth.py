"""What the ledger's work costs as it grows: register, pump, claim, finish, expire, status; on PostgreSQL, nothing is scored.

python -m benchmarks.ledger_growth [--jobs 10000 100000 1000000] [--seconds 240]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import Engine, text

from benchmarks.protocol import print_protocol
from config.settings import Settings
from db import history, jobs, ledger, migrate, models, pump, recordings
from db.engine import make_engine
from db.leases import expire_leases
from db.reasons import Lane, ResultStatus
from db.rows import NewModel, NewRecording, NewResult
from db.schema import EMOTIONS

ROOT = Path(__file__).resolve().parent.parent
NOTHING = NewResult(status=ResultStatus.NO_SPEECH, duration_ms=8000, speech_ms=0, rejected_ms=0, n_windows=0)
OPEN_SHARE = 10  # one job in so many waits, the rest are done
N_ROUNDS, N_CLAIMS, PAGE = 3, 50, 500
STEPS = ("register 500 known", "register 500 new", "pump 1000", "claim one", "finish one", "expire leases", "status")
_RECORDINGS = """
    INSERT INTO recordings (store, bucket, key, version_tag, size_bytes, subject, subject_source, recorded_at_source,
        uploaded_at, registered_at, state)
    SELECT 'local', 'b', 'p' || n % 50000 || '/' || n, 'v', 9000, 'p' || n % 50000, 'key', 'unknown', now(), now(), 'LIVE'
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n
"""
_JOBS = """
    INSERT INTO jobs (recording_id, model_id, state, lane, next_run_at_s, created_at, finished_at)
    SELECT id, :model, CASE WHEN id % :share = 0 THEN 'PENDING' ELSE 'DONE' END, 'nightly', 0, now(),
        CASE WHEN id % :share = 0 THEN NULL ELSE now() END
    FROM recordings WHERE id > :after
"""


def main() -> int:
    """Fill up to each size in turn and time each step; stop before a size that would take longer than is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--seconds", type=float, default=240.0, help="begin no size that may take longer")
    options = parser.parse_args()
    print_protocol(
        f"ledgers of {', '.join(f'{n:,}' for n in options.jobs)} jobs, one in {OPEN_SHARE} of them waiting; median of "
        f"{N_ROUNDS} rounds, and of {N_CLAIMS} claims a round; each step is its own transactions, from one connection",
        order="sizes in turn, in one database that is filled further",
    )
    sys.path.insert(0, str(ROOT / "tests"))
    from servers import PostgresServer  # noqa: PLC0415 - of the test suite

    server = PostgresServer()
    try:
        server.start()
        with server.connect() as connection:
            connection.execute(b"CREATE DATABASE growth")
        grow(make_engine(server.url_of("growth"), n_pooled=2), sorted(options.jobs), limit_s=options.seconds)
    finally:
        server.close()
    return 0


def grow(engine: Engine, sizes: list[int], *, limit_s: float) -> None:
    """Time the steps at each size and print a row of milliseconds for each."""
    migrate.upgrade(engine)
    model = models.activate(engine, models.add_model(engine, a_model()).id)
    print(f"\n{'jobs':>12} {'fill s':>8} {'MB':>7} " + " ".join(f"{name:>18}" for name in STEPS) + "   (ms)")
    begin_s, n_before, rate = time.perf_counter(), 0, 0.0
    for n in sizes:
        left_s = limit_s - (time.perf_counter() - begin_s)
        if rate and (n - n_before) / rate > left_s:
            print(f"{n:>12,} left out: filling would take {(n - n_before) / rate:.0f} s, and {left_s:.0f} s are left")
            continue
        fill_s = time_s(lambda first=n_before + 1, last=n: fill(engine, first, last, model_id=model.id))
        rate, n_before = (n - n_before) / fill_s, n
        rounds = [time_steps(engine, model.id, n=n, number=number) for number in range(N_ROUNDS)]
        taken = " ".join(f"{1000 * median(one[name] for one in rounds):>18.1f}" for name in STEPS)
        print(f"{n:>12,} {fill_s:>8.1f} {megabytes(engine):>7.0f} {taken}", flush=True)


def fill(engine: Engine, first: int, last: int, *, model_id: int) -> None:
    """Add recordings with a job each, without triggers, and let the planner know."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        after = connection.scalar(text("SELECT coalesce(max(id), 0) FROM recordings"))
        connection.execute(text(_RECORDINGS), {"first": first, "last": last})
        connection.execute(text(_JOBS), {"model": model_id, "share": OPEN_SHARE, "after": after})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def time_steps(engine: Engine, model_id: int, *, n: int, number: int) -> dict[str, float]:
    """Take each step once, in seconds."""
    known = [a_recording(f"p{i % 50_000}/{i}") for i in range(1, PAGE + 1)]
    new = [a_recording(f"new/{n}/{number}/{i}") for i in range(PAGE)]
    found: dict[str, float] = {"register 500 known": time_s(lambda: recordings.register(engine, known))}
    found["register 500 new"] = time_s(lambda: recordings.register(engine, new))
    jobs.create_jobs(engine, model_id, lane=Lane.NIGHTLY)
    cap = Settings().queue_cap
    due: list[tuple[int, Lane]] = []
    found["pump 1000"] = time_s(lambda: due.extend(pump.due_jobs(engine, cap_outstanding=cap, limit=cap)))
    claims = []
    ids = [job_id for job_id, _ in due[:N_CLAIMS]]
    times = [time_s(lambda job_id=job_id: claims.append(take(engine, job_id))) for job_id in ids]
    found["claim one"] = median(times)
    found["finish one"] = median(time_s(lambda claim=claim: ledger.finish(engine, claim, NOTHING)) for claim in claims)
    pump.unqueue(engine, [job_id for job_id, _ in due[N_CLAIMS:]])
    found["expire leases"] = time_s(lambda: expire_leases(engine))
    found["status"] = time_s(lambda: history.counts(engine))
    return found


def take(engine: Engine, job_id: int) -> ledger.Claim:
    """Claim a job that has to be there."""
    claim = ledger.claim(engine, job_id, worker="growth", lease_s=600)
    assert claim is not None
    return claim


def time_s(act: Callable[[], object]) -> float:
    """Run once by the clock."""
    begin_s = time.perf_counter()
    act()
    return time.perf_counter() - begin_s


def megabytes(engine: Engine) -> float:
    """Ask how much disk the database takes."""
    with engine.connect() as connection:
        return float(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0) / 1e6


def a_recording(key: str) -> NewRecording:
    """Make a recording of the same kind as the filling's."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return NewRecording(store="local", bucket="b", key=key, version_tag="v", size_bytes=9_000, uploaded_at=at)


def a_model() -> NewModel:
    """Make a model that nobody runs."""
    return NewModel(name="growth", version="1", sha256="x", labels=EMOTIONS, manifest={}, folder="growth")


if __name__ == "__main__":
    raise SystemExit(main())
