"""How long each documented query and each reading statement of the HTTP API takes, against a look-up by primary key.

python benchmarks/reads.py [--notes 1000000] [--people 10000] [--runs 20] [--sqlite] [--url URL]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

from protocol import print_protocol
from sqlalchemy import Engine, text

from db import changes, migrate, models, notes, people, people_rows, removals
from db.changes import Place
from db.engine import make_engine, verify
from db.notes import NoteFilter, NotePlace, NoteStatus

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 50  # times a look-up by primary key
SLOW_S = 1.0  # what takes longer is timed once
# Over everybody: no look-ups, and not held to the limit.
OF_EVERYBODY = "everybody"
_BLOCKS = re.compile(r"^## ([^\n]+)(?:(?!^## ).)*?^```sql\n(.+?)^```", re.MULTILINE | re.DOTALL)
Read = Callable[[], object]


def main() -> int:
    """Fill, time and print; 1 where something takes longer than it may."""
    options = read_options()
    with database(options) as engine:
        print_protocol(
            f"{options.notes} notes of {options.people} people on {verify(engine)}; the median of {options.runs} runs, "
            f"of one where a run takes more than {SLOW_S} s",
            order="one after the other on one connection that is kept open; each once before the clock runs",
        )
        model = models.active_model(engine)
        assert model is not None  # `fill` makes one
        subject = options.people // 2 + 7
        reads = of_api(engine, f"tenant-{subject % 10}", f"person-{subject}", model_id=model.id)
        reads |= of_page(engine, f"tenant-{subject % 10}", f"person-{subject}")
        return report(reads, look_up(engine, options.notes // 2), n_runs=options.runs)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--notes", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--sqlite", action="store_true", help="on SQLite in place of the test suite's PostgreSQL")
    parser.add_argument("--url", help="a database that is filled already")
    return parser.parse_args()


@contextmanager
def database(options: argparse.Namespace) -> Iterator[Engine]:
    """Give a filled database, on a connection that is kept open."""
    sys.path.insert(0, str(ROOT / "tests"))
    import filling  # noqa: PLC0415 - of the test suite
    from servers import PostgresServer  # noqa: PLC0415

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


def look_up(engine: Engine, note_id: int) -> Read:
    """Make the read that all others are compared with."""
    return partial(ask, engine, f"SELECT * FROM recordings WHERE id = {note_id}")


def of_page(engine: Engine, tenant: str, subject: str) -> dict[str, Read]:
    """Make the queries of db/QUERIES.md, for one person."""
    page = (ROOT / "db" / "QUERIES.md").read_text(encoding="utf-8")
    found = {}
    for title, query in _BLOCKS.findall(page):
        is_look_up = "'anna'" in query or "recording_id =" in query or "position >" in query
        name = f"SQL: {title}" if is_look_up else f"SQL, {OF_EVERYBODY}: {title}"
        found[name] = partial(ask, engine, query.replace("'default'", f"'{tenant}'").replace("'anna'", f"'{subject}'"))
    return found


def of_api(engine: Engine, tenant: str, subject: str, *, model_id: int) -> dict[str, Read]:
    """Make the reads of the API's routes, for one person."""
    of_person = partial(notes.list_notes, engine, tenant, subject, model_id=model_id, limit=101)
    every, period = NoteFilter(), NoteFilter(since=date(2026, 2, 1), until=date(2026, 2, 14))
    first = of_person(chosen=every)
    behind = NotePlace(recorded_at=first[9].recorded_at, id=first[9].id)
    note_id = first[0].id
    days = partial(people_rows.read_days, engine, tenant, subject, limit=101)
    last = changes.last_place(engine)
    feed = partial(changes.read, engine, tenant, limit=100)
    middle = Place(position=0, at=None)
    return {
        "API: is a person known": partial(people.is_known, engine, tenant, subject),
        "API: a person's 100 notes": partial(of_person, chosen=every),
        "API: the next page of them": partial(of_person, chosen=every, after=behind),
        "API: the oldest first": partial(of_person, chosen=every, is_oldest_first=True),
        "API: notes of a fortnight": partial(of_person, chosen=period),
        "API: failed notes": partial(of_person, chosen=NoteFilter(status=NoteStatus.FAILED)),
        "API: a person's 100 days": days,
        "API: days of a fortnight": partial(days, since=period.since, until=period.until),
        "API: one note": partial(notes.get_note, engine, tenant, note_id, model_id=model_id),
        "API: a note's segments": partial(notes.list_segments, engine, note_id, model_id),
        "API: a first run's 100 notes": partial(
            notes.notes_after, engine, tenant, after_id=note_id, limit=101, model_id=model_id
        ),
        "API: 100 changes from the beginning": partial(feed, place=middle),
        "API: changes at the end of the feed": partial(feed, place=last),
        "API: are changes without a place": partial(changes.number, engine),
        "API: erasures of a tenant": partial(removals.list_of_tenant, engine, tenant, limit=101),
        "API: models": partial(models.list_models, engine),
    }


def ask(engine: Engine, query: str) -> int:
    """Run a query and take all of its rows; give how many."""
    with engine.connect() as connection:
        return len(connection.execute(text(query)).all())


def report(reads: dict[str, Read], known: Read, *, n_runs: int) -> int:
    """Time and print; give 1 where a look-up takes longer than it may."""
    base_ms = time_ms(known, n_runs=n_runs * 5)
    print(f"\n{'a look-up by primary key':<76}{base_ms:>9.2f} ms")
    n_slow = 0
    for name, read in reads.items():
        found_ms = time_ms(read, n_runs=n_runs)
        times = found_ms / base_ms
        is_slow = times > LIMIT and OF_EVERYBODY not in name
        n_slow += is_slow
        print(f"{name[:74]:<76}{found_ms:>9.2f} ms {times:>9.1f} times{'  TOO SLOW' if is_slow else ''}")
    return 1 if n_slow else 0


def time_ms(read: Read, *, n_runs: int) -> float:
    """Take the median of runs; of the first alone where that is slow."""
    taken = [time_s(read)]
    if taken[0] < SLOW_S:
        taken = [time_s(read) for _ in range(n_runs)]
    return median(taken) * 1000


def time_s(read: Read) -> float:
    """Run once by the clock."""
    begun_s = time.perf_counter()
    read()
    return time.perf_counter() - begun_s


if __name__ == "__main__":
    sys.exit(main())
