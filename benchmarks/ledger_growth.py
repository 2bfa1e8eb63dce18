"""What the ledger's work costs as it grows: register, pump, claim, finish, expire, plan, cancel, status; nothing is scored.

python -m benchmarks.ledger_growth [--jobs 10000 100000 1000000] [--database postgresql sqlite] [--seconds 240]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, text

from benchmarks.ledger_filling import fill, megabytes
from benchmarks.protocol import print_protocol
from config.settings import Settings
from db import batch_plan, batches, history, ledger, migrate, models, pump, recordings
from db.batch_plan import PLAN_PAGE, Choice
from db.engine import make_engine
from db.leases import expire_leases
from db.reasons import Lane, ResultStatus
from db.rows import NewModel, NewRecording, NewResult
from db.schema import EMOTIONS

ROOT = Path(__file__).resolve().parent.parent
SIZES = (10_000, 100_000, 1_000_000)
DATABASES = ("postgresql", "sqlite")
NOTHING = NewResult(status=ResultStatus.NO_SPEECH, duration_ms=8000, speech_ms=0, rejected_ms=0, n_windows=0)
OPEN_SHARE = 10  # one job in so many waits, the rest are done
N_ROUNDS, N_CLAIMS, PAGE = 3, 50, 500

Figures = dict[str, dict[int, dict[str, float]]]
"""Median processor time in ms: by database, number of jobs, and step."""


def main() -> int:
    """Fill up to each size in turn and time each step; stop before a size that would take longer than is left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=SIZES)
    parser.add_argument("--database", nargs="+", choices=DATABASES, default=DATABASES)
    parser.add_argument(
        "--seconds", type=float, default=240.0, help="begin no size that may take longer, each database"
    )
    options = parser.parse_args()
    print_protocol(
        f"ledgers of {', '.join(f'{n:,}' for n in options.jobs)} jobs, one in {OPEN_SHARE} of them waiting; median of "
        f"{N_ROUNDS} rounds, and of {N_CLAIMS} claims a round; each step is its own transactions, from one connection; "
        "processor time of this process and of PostgreSQL's backend together",
        order="sizes in turn, in one database that is filled further",
    )
    measure(sorted(options.jobs), databases=options.database, limit_s=options.seconds)
    return 0


def measure(sizes: list[int], *, databases: list[str], limit_s: float) -> Figures:
    """Time the steps at each size in each database, print a row for each, and give the figures."""
    found: Figures = {}
    for name in databases:
        with tempfile.TemporaryDirectory() as folder, open_database(name, Path(folder)) as engine:
            found[name] = grow(engine, sizes, limit_s=limit_s)
    return found


@contextmanager
def open_database(name: str, folder: Path) -> Iterator[Engine]:
    """Give an empty database of a kind, with one connection."""
    if name == "sqlite":
        yield make_engine(f"sqlite:///{folder / 'growth.db'}", n_pooled=1)
        return
    sys.path.insert(0, str(ROOT / "tests"))
    from servers import PostgresServer  # noqa: PLC0415 - of the test suite

    server = PostgresServer()
    try:
        server.start()
        with server.fresh_database() as url:
            engine = make_engine(url, n_pooled=1)
            yield engine
            engine.dispose()
    finally:
        server.close()


def grow(engine: Engine, sizes: list[int], *, limit_s: float) -> dict[int, dict[str, float]]:
    """Time the steps at each size and print a row of milliseconds for each."""
    migrate.upgrade(engine)
    model = models.activate(engine, models.add_model(engine, a_model("1")).id)
    begin_s, n_before, rate = time.perf_counter(), 0, 0.0
    found: dict[int, dict[str, float]] = {}
    for n in sizes:
        left_s = limit_s - (time.perf_counter() - begin_s)
        if rate and (n - n_before) / rate > left_s:
            print(f"{n:>12,} left out: filling would take {(n - n_before) / rate:.0f} s, and {left_s:.0f} s are left")
            continue
        fill_at_s = time.perf_counter()
        fill(engine, n_before + 1, n, model_id=model.id, open_share=OPEN_SHARE)
        fill_s = time.perf_counter() - fill_at_s
        rate, n_before = (n - n_before) / fill_s, n
        rounds = [time_steps(engine, model.id, n=n, number=number) for number in range(N_ROUNDS)]
        found[n] = {name: median(one[name] for one in rounds) for name in rounds[0]}
        if len(found) == 1:
            print(
                f"\n{engine.dialect.name:>12} {'fill s':>8} {'MB':>7} " + " ".join(f"{name:>14}" for name in found[n])
            )
        taken = " ".join(f"{ms:>14.1f}" for ms in found[n].values())
        print(f"{n:>12,} {fill_s:>8.1f} {megabytes(engine):>7.0f} {taken}", flush=True)
    return found


def time_steps(engine: Engine, model_id: int, *, n: int, number: int) -> dict[str, float]:
    """Take each step once, in ms."""
    known = [a_recording(f"p{i % 50_000}/{i}") for i in range(1, PAGE + 1)]
    new = [a_recording(f"new/{n}/{number}/{i}") for i in range(PAGE)]
    took = Stopwatch(engine).took
    found = {"500 known": took(lambda: recordings.register(engine, known))}
    found["500 new"] = took(lambda: recordings.register(engine, new))
    cap = Settings().queue_cap
    due: list[tuple[int, Lane]] = []
    found["pump 1,000"] = took(lambda: due.extend(pump.due_jobs(engine, cap_outstanding=cap, limit=cap)))
    found["pump none"] = took(lambda: pump.due_jobs(engine, cap_outstanding=cap, limit=cap))
    found["look"] = took(lambda: pump.read_outstanding(engine))
    claims: list[ledger.Claim] = []
    ids = [job_id for job_id, _ in due[:N_CLAIMS]]
    found["claim"] = median(took(lambda job_id=job_id: claims.append(take(engine, job_id))) for job_id in ids)
    found["finish"] = median(took(lambda claim=claim: ledger.finish(engine, claim, NOTHING)) for claim in claims)
    pump.unqueue(engine, [job_id for job_id, _ in due[N_CLAIMS:]])
    found["expire"] = took(lambda: expire_leases(engine))
    found |= time_batch(engine, f"{model_id}-{n}-{number}", took)
    found["status"] = took(lambda: history.counts(engine))
    return found


def time_batch(engine: Engine, version: str, took: Callable[[Callable[[], object]], float]) -> dict[str, float]:
    """Plan one page of a batch of a further model, and cancel it again."""
    model = models.add_model(engine, a_model(version))
    batch_id = batch_plan.begin(engine, Choice(model_id=model.id))
    found = {f"plan {PLAN_PAGE:,}": took(lambda: batch_plan.plan_next(engine, batch_id))}
    batches.cancel(engine, batch_id)
    found[f"cancel {PLAN_PAGE:,}"] = took(lambda: batches.end_cancelled(engine, batch_id))
    found["close"] = took(lambda: batches.close_if_ended(engine, batch_id))
    return found


class Stopwatch:
    """Takes processor time of this process and, on PostgreSQL, of the one backend that serves it."""

    def __init__(self, engine: Engine) -> None:
        """Find the backend."""
        self._run: Path | None = None
        if engine.dialect.name == "postgresql":
            with engine.connect() as connection:
                self._run = Path(f"/proc/{connection.scalar(text('SELECT pg_backend_pid()'))}/schedstat")

    def took(self, act: Callable[[], object]) -> float:
        """Act once; gives ms."""
        begin_ns = self._now_ns()
        act()
        return (self._now_ns() - begin_ns) / 1e6

    def _now_ns(self) -> int:
        of_backend = 0 if self._run is None else int(self._run.read_text().split()[0])
        return time.process_time_ns() + of_backend


def take(engine: Engine, job_id: int) -> ledger.Claim:
    """Claim a job that has to be there."""
    claim = ledger.claim(engine, job_id, worker="growth", lease_s=600)
    assert claim is not None
    return claim


def a_recording(key: str) -> NewRecording:
    """Make a recording of the same kind as the filling's."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return NewRecording(store="local", bucket="b", key=key, version_tag="v", size_bytes=9_000, uploaded_at=at)


def a_model(version: str) -> NewModel:
    """Make a model that nobody runs."""
    nothing: dict[str, Any] = {}
    return NewModel(
        name="growth", version=version, sha256=f"x{version}", labels=EMOTIONS, manifest=nothing, folder="growth"
    )


if __name__ == "__main__":
    raise SystemExit(main())
