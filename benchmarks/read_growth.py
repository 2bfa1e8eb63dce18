"""How the reads of apps grow with the number of segments: each documented query and each read of the HTTP API.

python -m benchmarks.read_growth [--segments N ...] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import ExitStack
from math import log10
from pathlib import Path

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
LIMIT = 2.0  # times as long as with the fewest segments, for each tenfold
Figures = dict[str, dict[int, float]]


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
    """Fill a database of each size and time each read on all of them in turn; gives ms by read and number of segments."""
    with ExitStack() as stack:
        server = PostgresServer()
        stack.callback(server.close)
        server.start()
        reads = {size: reads_of(server, size, stack) for size in segments}
        figures: Figures = {}
        for name in reads[segments[0]]:
            taken: dict[int, list[float]] = {size: [] for size in segments}
            for _ in range(n_rounds + 1):
                for size in segments:
                    tenant, read = reads[size][name]
                    with asking(tenant):
                        taken[size].append(time_s(read) * 1000)
            figures[name] = {size: min(times[1:]) for size, times in taken.items()}
        return figures


def reads_of(server: PostgresServer, n_segments: int, stack: ExitStack) -> dict[str, tuple[str, Read]]:
    """Fill a database and give its reads, each with the tenant that asks."""
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
    engine.dispose()
    stack.callback(by_api.dispose)
    stack.callback(by_sql.dispose)
    with asking(tenant):
        found = look_ups.of_api(by_api, tenant, person, model_id=1) | look_ups.of_page(by_sql, tenant, person)
        found = {"one row by its primary key": look_up(by_api, n_notes // 2), **found}
    return {name: (tenant, read) for name, read in found.items()}


def tell(figures: Figures) -> int:
    """Print a table of ms by size; 1 where a look-up grows by more than LIMIT for each tenfold."""
    sizes = list(next(iter(figures.values())))
    tenfolds = log10(sizes[-1] / sizes[0])
    print(
        f"\n{'ms, load ' + format(os.getloadavg()[0], '.1f'):<72}"
        + "".join(f"{size:>12}" for size in sizes)
        + "  times"
    )
    n_growing = 0
    for name, by_size in figures.items():
        times = by_size[sizes[-1]] / by_size[sizes[0]]
        is_growing = times > LIMIT**tenfolds and look_ups.OF_EVERYBODY not in name
        n_growing += is_growing
        line = "".join(f"{by_size[size]:>12.2f}" for size in sizes)
        print(f"{name[:70]:<72}{line}{times:>7.1f}{'  GROWS' if is_growing else ''}")
    return 1 if n_growing else 0


if __name__ == "__main__":
    sys.exit(main())
