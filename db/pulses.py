"""Pulses of worker processes: who is alive, with which lanes and which bundle; `db.slots` has those of the scheduler."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.columns import db_now, db_now_s
from db.engine import reading
from db.pulse_schema import worker_pulses
from db.reasons import Lane

KEEP = timedelta(days=1)  # of a worker that was killed; one that stops takes its row away
_w = worker_pulses.c


@dataclass(frozen=True, kw_only=True)
class BundleLook:
    """What a worker found where the active model's bundle should be.

    Attributes:
        model: name-version of the model that was active; None: none was.
        sha256: of the bundle's files; None: it has no bundle that can be read.
        error: why the worker cannot score with it; None: it can.
    """

    model: str | None = None
    sha256: str | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewPulse:
    """What a worker tells about itself; `host_at_s` is its own clock, in seconds since 1970."""

    host: str
    pid: int
    lanes: Sequence[Lane]
    n_processes: int
    version: str
    revision: str
    bundle: BundleLook
    started_at: datetime
    host_at_s: float
    last_job_id: int | None = None
    last_job_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WorkerPulse(NewPulse):
    """The last pulse of a worker process.

    Attributes:
        age_s: how long ago it came, on the database's clock.
        skew_s: how far the worker's clock is ahead of the database's.
    """

    age_s: float
    skew_s: float

    @property
    def name(self) -> str:
        """Host and process id."""
        return f"{self.host}:{self.pid}"


def beat(engine: Engine, pulse: NewPulse) -> None:
    """Write a worker's row, in one statement."""
    values: dict[str, Any] = {
        **{name: getattr(pulse, name) for name in NewPulse.__dataclass_fields__ if name != "bundle"},
        "lanes": [lane.value for lane in pulse.lanes],
        "model": pulse.bundle.model,
        "bundle_sha256": pulse.bundle.sha256,
        "bundle_error": pulse.bundle.error,
        "seen_at_s": db_now_s(),
    }
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    made = insert(worker_pulses).values(values)
    newest = {name: made.excluded[name] for name in values if name not in {"host", "pid"}}
    with engine.begin() as connection:
        connection.execute(made.on_conflict_do_update(index_elements=["host", "pid"], set_=newest))


def leave(engine: Engine, *, host: str, pid: int) -> None:
    """Take away the row of a worker that stops."""
    with engine.begin() as connection:
        connection.execute(delete(worker_pulses).where(_w.host == host, _w.pid == pid))


def list_workers(engine: Engine) -> list[WorkerPulse]:
    """Read the last pulse of every worker that was seen within a day, by host and process."""
    wanted = select(*_w, db_now_s().label("now_s")).order_by(_w.host, _w.pid)
    with reading(engine) as connection:
        rows = [row._asdict() for row in connection.execute(wanted)]
    names = set(NewPulse.__dataclass_fields__) - {"lanes", "bundle"}
    return [
        WorkerPulse(
            **{name: row[name] for name in names},
            lanes=tuple(Lane(lane) for lane in row["lanes"]),
            bundle=BundleLook(model=row["model"], sha256=row["bundle_sha256"], error=row["bundle_error"]),
            age_s=row["now_s"] - row["seen_at_s"],
            skew_s=row["host_at_s"] - row["seen_at_s"],
        )
        for row in rows
    ]


def forget_dead(engine: Engine) -> int:
    """Delete the rows of workers that said nothing for a day; gives how many."""
    with engine.begin() as connection:
        old = delete(worker_pulses).where(_w.seen_at_s < db_now_s() - KEEP.total_seconds())
        return connection.execute(old).rowcount


def read_clock(engine: Engine) -> datetime:
    """Read the database's clock."""
    with reading(engine) as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
    return now
