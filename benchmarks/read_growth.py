"""How the reads of apps grow with the number of segments: each documented query and each read of the HTTP API.

python -m benchmarks.read_growth [--segments N ...] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from math import log10
from pathlib import Path

from sqlalchemy import Engine, text

from db import migrate
from db.engine import make_engine
from db.tenancy import asking

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "tests")]
import filling  # noqa: E402
import look_ups  # noqa: E402
from protocol import print_protocol  # noqa: E402
from reads import Read, look_up, readers, time_s  # noqa: E402
from servers import PostgresServer  # noqa: E402

NOTES_A_PERSON = 100
LIMIT = (
    2.0  # times as many pages for each tenfold: trees get a level higher, and a plan may change; what reads all has 10
)
N_COUNTS = 4
_PAGES = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
Figures = dict[str, dict[int, dict[str, float]]]


@dataclass(frozen=True)
class Filled:
    """A filled database: who asks, what, and by which connection of its own each read goes."""

    tenant: str
    reads: dict[str, Read]
    engines: dict[str, Engine]
    admin: Engine

    def ms(self, name: str) -> float:
        """Time a read."""
        with asking(self.tenant):
            return time_s(self.reads[name]) * 1000

    def n_pages(self, name: str) -> float:
        """Count pages of the database that a read touches, in memory or not: other work on the machine changes nothing."""
        counted = []
        for _ in range(N_COUNTS):  # the least, since the database tidies up by itself now and then
            before = self._pages(name)
            at_rest = self._pages(name)
            self.ms(name)
            counted.append(self._pages(name) - at_rest - (at_rest - before))
        return max(min(counted), 0.0)

    def _pages(self, name: str) -> float:
        with self.engines[name].connect() as connection:
            connection.execute(text("SELECT pg_stat_force_next_flush()"))
        with self.admin.connect() as connection:
            connection.execute(text("SELECT pg_stat_clear_snapshot()"))
            return float(connection.scalar(text(_PAGES)) or 0)


def main() -> int:
    """Fill, time and print; 1 where a look-up grows by more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--segments", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    print_protocol(
        f"PostgreSQL with {options.segments} segments, {filling.N_SEGMENTS} of a note, {NOTES_A_PERSON} notes of a person, "
        f"{filling.N_TENANTS} tenants, under row-level security; pages of {look_ups.N_ROWS} rows",
        order=f"each read on all sizes in turn, {options.rounds} rounds, on connections that are kept open; the least, since others work here too",
    )
    return tell(measure(options.segments, n_rounds=options.rounds))


def measure(segments: list[int], *, n_rounds: int) -> Figures:
    """Fill a database of each size and read from all of them in turn; gives pages and ms by read and number of segments."""
    with ExitStack() as stack:
        server = PostgresServer()
        stack.callback(server.close)
        server.start()
        filled = {size: fill(server, size, stack) for size in segments}
        figures: Figures = {}
        for name in filled[segments[0]].reads:
            taken: dict[int, list[float]] = {size: [] for size in segments}
            for _ in range(n_rounds):
                for size in segments:
                    taken[size].append(filled[size].ms(name))
            figures[name] = {
                size: {"pages": filled[size].n_pages(name), "ms": min(times)} for size, times in taken.items()
            }
        return figures


def fill(server: PostgresServer, n_segments: int, stack: ExitStack) -> Filled:
    """Fill a database and give its reads."""
    n_notes = n_segments // filling.N_SEGMENTS
    n_people = n_notes // NOTES_A_PERSON
    subject = n_people // 2 + 7
    tenant, person = f"tenant-{subject % filling.N_TENANTS}", f"person-{subject}"
    name, begun_s = f"reads{n_segments}", time.monotonic()
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    engine = make_engine(server.url_of(name), n_pooled=1)
    migrate.upgrade(engine)
    filling.fill(engine, n_notes=n_notes, n_people=n_people)
    print(f"filled    {n_segments} segments in {time.monotonic() - begun_s:.0f} s", flush=True)
    by_api, by_sql = readers(engine, tenant)
    for used in (engine, by_api, by_sql):
        stack.callback(used.dispose)
    with asking(tenant):
        of_api = look_ups.of_api(by_api, tenant, person, model_id=1)
        of_page = look_ups.of_page(by_sql, tenant, person)
        of_api = {"one row by its primary key": look_up(by_api, n_notes // 2), **of_api}
    engines = dict.fromkeys(of_api, by_api) | dict.fromkeys(of_page, by_sql)
    return Filled(tenant, of_api | of_page, engines, engine)


def tell(figures: Figures) -> int:
    """Print pages and ms by size; 1 where a look-up touches more pages than LIMIT times as many for each tenfold."""
    sizes = list(next(iter(figures.values())))
    allowed = LIMIT ** log10(sizes[-1] / sizes[0])
    print(f"\npages touched, and the least ms at a load of {os.getloadavg()[0]:.1f}, by number of segments")
    print(f"{'':<68}" + "".join(f"{size:>18}" for size in sizes))
    n_growing = 0
    for name, by_size in figures.items():
        first, last = by_size[sizes[0]]["pages"], by_size[sizes[-1]]["pages"]
        is_growing = last > allowed * first + 8 and look_ups.OF_EVERYBODY not in name
        n_growing += is_growing
        line = "".join(f"{by_size[size]['pages']:>9.0f}{by_size[size]['ms']:>9.2f}" for size in sizes)
        print(f"{name[:66]:<68}{line}{'  GROWS' if is_growing else ''}")
    return 1 if n_growing else 0


if __name__ == "__main__":
    sys.exit(main())
