"""How long each documented query and each reading statement of the HTTP API takes, against a look-up by primary key.

python benchmarks/reads.py [--notes 1000000] [--people 10000] [--runs 20] [--sqlite] [--url URL]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from protocol import print_protocol
from sqlalchemy import Engine

from db import migrate
from db.engine import make_engine, verify
from db.tenancy import asking

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # what to fill with and what to ask is the test suite's, as are the servers
import filling  # noqa: E402
import look_ups  # noqa: E402
from servers import PostgresServer  # noqa: E402

LIMIT = 50  # times a look-up by primary key
SLOW_S = 1.0  # what takes longer is timed once
Read = Callable[[], object]


def main() -> int:
    """Fill, time and print; 1 where something takes longer than it may."""
    options = read_options()
    subject = options.people // 2 + 7
    tenant, person = f"tenant-{subject % 10}", f"person-{subject}"
    with database(options) as engine:
        print_protocol(
            f"{options.notes} notes of {options.people} people on {verify(engine)}; pages of {look_ups.N_ROWS} rows; the "
            f"least of {options.runs} runs, of one where a run takes more than {SLOW_S} s",
            order="one after the other on a connection that is kept open; each once before the clock runs",
        )
        by_api, by_sql = (engine, engine) if options.sqlite or options.as_owner else readers(engine, tenant)
        print("as        " + ", ".join(str(one.url.username or "the owner") for one in (by_api, by_sql)))
        with asking(tenant):
            reads = look_ups.of_api(by_api, tenant, person, model_id=1) | look_ups.of_page(by_sql, tenant, person)
            return report(reads, look_up(by_api, options.notes // 2), n_runs=options.runs)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--sqlite", action="store_true", help="on SQLite in place of the test suite's PostgreSQL")
    parser.add_argument("--as-owner", action="store_true", help="past row-level security, to see what that costs")
    parser.add_argument("--url", help="a database that is filled already; a superuser's URL on PostgreSQL")
    return parser.parse_args()


@contextmanager
def database(options: argparse.Namespace) -> Iterator[Engine]:
    """Give a filled database, on a connection that is kept open."""

    def filled(url: str) -> Engine:
        engine = make_engine(url, n_pooled=1)
        migrate.upgrade(engine)
        filling.fill(engine, n_notes=options.notes, n_people=options.people)
        return engine

    if options.url is not None:
        yield make_engine(options.url, n_pooled=1)
    elif options.sqlite:
        with tempfile.TemporaryDirectory() as folder:
            yield filled(f"sqlite:///{folder}/reads.db")
    else:
        server = PostgresServer()
        try:
            server.start()
            with server.connect() as connection:
                connection.execute(b"CREATE DATABASE reads")
            engine = filled(server.url_of("reads"))
            yield engine
            engine.dispose()
        finally:
            server.close()


def readers(engine: Engine, tenant: str) -> tuple[Engine, Engine]:
    """Give the roles of the HTTP API and of an app backend that is bound to a tenant."""
    statements = (ROOT / "deploy" / "postgres" / "roles.sql").read_text(encoding="utf-8")
    with engine.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        driver.rollback()
        driver.autocommit = True
        driver.execute(statements)
        for role in ("http", "api"):
            driver.execute(f"ALTER ROLE tonalog_{role} PASSWORD '{engine.url.password}'")
        driver.execute("UPDATE reader_tenants SET tenant = %s WHERE role = 'tonalog_api'", [tenant])
        driver.autocommit = False
    urls = [engine.url.set(username=f"tonalog_{role}") for role in ("http", "api")]
    by_api, by_sql = (make_engine(url.render_as_string(hide_password=False), n_pooled=1) for url in urls)
    return by_api, by_sql


def look_up(engine: Engine, note_id: int) -> Read:
    """Make the read that all others are compared with."""
    columns = "id, tenant, subject, recorded_at, local_day, uploaded_at, state"  # those that the API may read
    return partial(look_ups.ask, engine, f"SELECT {columns} FROM recordings WHERE id = {note_id}")  # noqa: S608 - a number of ours


def report(reads: dict[str, Read], known: Read, *, n_runs: int) -> int:
    """Time and print; give 1 where a look-up takes longer than it may."""
    base_ms = time_ms(known, n_runs=n_runs * 5)
    print(f"\n{'a look-up by primary key':<76}{base_ms:>9.2f} ms")
    n_slow = 0
    for name, read in reads.items():
        found_ms = time_ms(read, n_runs=n_runs)
        times = found_ms / base_ms
        is_slow = times > LIMIT and look_ups.OF_EVERYBODY not in name
        n_slow += is_slow
        print(f"{name[:74]:<76}{found_ms:>9.2f} ms {times:>9.1f} times{'  TOO SLOW' if is_slow else ''}")
    return 1 if n_slow else 0


def time_ms(read: Read, *, n_runs: int) -> float:
    """Take the least of runs, since a machine has other things to do; of the first alone where that is slow."""
    taken = [time_s(read)]
    if taken[0] < SLOW_S:
        taken = [time_s(read) for _ in range(n_runs)]
    return min(taken) * 1000


def time_s(read: Read) -> float:
    """Run once by the clock."""
    begun_s = time.perf_counter()
    read()
    return time.perf_counter() - begun_s


if __name__ == "__main__":
    sys.exit(main())
