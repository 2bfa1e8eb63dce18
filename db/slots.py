"""Schedule slots and pulses: which nightly run has been done, and when each part was last alive.

It never reads a clock of its own and never runs anything.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.columns import db_now, db_now_s
from db.engine import reading
from db.pulse_schema import slot_failures
from db.reasons import SlotState
from db.schema import pulses, schedule_slots

MAX_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Slot:
    """One planned run of one schedule, and how it went."""

    name: str
    slot: datetime
    state: SlotState
    claimed_at: datetime
    finished_at: datetime | None
    n_registered: int | None
    n_jobs: int | None


@dataclass(frozen=True, kw_only=True)
class FailedSlot:
    """A planned run that is not done because it failed, how often it did, when it did last and why."""

    name: str
    slot: datetime
    n_failures: int
    failed_at: datetime
    error: str


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """When a part of the program last said that it is alive, and how long ago that was on the database's clock."""

    name: str
    at: datetime
    age_s: float
    detail: str | None


def claim_slot(engine: Engine, name: str, *, slot: datetime, lease_s: float) -> bool:
    """Take one planned run; of several schedulers one gets it.

    Returns:
        True for the one that shall run it: nobody had it, or who had it did not finish within the lease.
    """
    values = {
        "name": name,
        "slot": slot,
        "state": SlotState.RUNNING,
        "claimed_at": db_now(),
        "lease_until_s": db_now_s() + lease_s,
    }
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    taken = insert(schedule_slots).values(values)
    statement = taken.on_conflict_do_update(
        index_elements=["name", "slot"],
        set_={"claimed_at": taken.excluded.claimed_at, "lease_until_s": taken.excluded.lease_until_s},
        where=(schedule_slots.c.state == SlotState.RUNNING) & (schedule_slots.c.lease_until_s < db_now_s()),
    ).returning(schedule_slots.c.name)
    with engine.begin() as connection:
        return connection.execute(statement).first() is not None


def is_held(engine: Engine, name: str) -> bool:
    """Say whether somebody is at a run of this schedule, whichever slot it is for."""
    held = select(schedule_slots.c.slot).where(
        schedule_slots.c.name == name,
        schedule_slots.c.state == SlotState.RUNNING,
        schedule_slots.c.lease_until_s >= db_now_s(),
    )
    with reading(engine) as connection:
        return connection.execute(held.limit(1)).first() is not None


def extend_slot(engine: Engine, name: str, *, slot: datetime, lease_s: float) -> bool:
    """Make the lease of a long run last `lease_s` from now; False when the slot is finished or unknown."""
    statement = update(schedule_slots).where(
        schedule_slots.c.name == name, schedule_slots.c.slot == slot, schedule_slots.c.state == SlotState.RUNNING
    )
    with engine.begin() as connection:
        return connection.execute(statement.values(lease_until_s=db_now_s() + lease_s)).rowcount == 1


def finish_slot(engine: Engine, name: str, *, slot: datetime, n_registered: int, n_jobs: int) -> bool:
    """Note that a planned run has been done; False when somebody noted it before."""
    statement = update(schedule_slots).where(
        schedule_slots.c.name == name, schedule_slots.c.slot == slot, schedule_slots.c.state == SlotState.RUNNING
    )
    done = {"state": SlotState.DONE, "finished_at": db_now(), "n_registered": n_registered, "n_jobs": n_jobs}
    with engine.begin() as connection:
        return connection.execute(statement.values(done)).rowcount == 1


def fail_slot(engine: Engine, name: str, *, slot: datetime, error: str) -> None:
    """Note that a run of a slot failed; it stays to be done.

    Args:
        engine: the database.
        name: of the schedule.
        slot: which of its runs.
        error: why, without names of people and objects; cut at 500 characters.
    """
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    cut = error[:MAX_ERROR]
    made = insert(slot_failures).values(name=name, slot=slot, n_failures=1, failed_at=db_now(), error=cut)
    again = {"n_failures": slot_failures.c.n_failures + 1, "failed_at": db_now(), "error": cut}
    with engine.begin() as connection:
        connection.execute(made.on_conflict_do_update(index_elements=["name", "slot"], set_=again))


def list_failed(engine: Engine) -> list[FailedSlot]:
    """Read the slots that failed and have not been done since, oldest first."""
    f, s = slot_failures.c, schedule_slots.c
    columns = [f[column] for column in FailedSlot.__dataclass_fields__]
    is_open = (s.name == f.name) & (s.slot == f.slot) & (s.state == SlotState.RUNNING)
    # A later slot that is done has done the work of this one.
    later = schedule_slots.alias()
    is_covered = (
        select(later.c.slot)
        .where(later.c.name == f.name, later.c.slot > f.slot, later.c.state == SlotState.DONE)
        .exists()
    )
    wanted = select(*columns).join(schedule_slots, is_open).where(~is_covered).order_by(f.slot)
    with reading(engine) as connection:
        return [FailedSlot(**row._asdict()) for row in connection.execute(wanted)]


def forget_failures(engine: Engine, *, keep: timedelta) -> int:
    """Delete what is kept of failures longer ago than `keep`; gives how many."""
    with engine.begin() as connection:
        now: datetime = connection.execute(select(db_now())).scalar_one()
        return connection.execute(delete(slot_failures).where(slot_failures.c.failed_at < now - keep)).rowcount


def last_slot(engine: Engine, name: str) -> Slot | None:
    """Read the latest planned run of a schedule that somebody took."""
    columns = [schedule_slots.c[column] for column in Slot.__dataclass_fields__]
    latest = select(*columns).where(schedule_slots.c.name == name).order_by(schedule_slots.c.slot.desc()).limit(1)
    with reading(engine) as connection:
        row = connection.execute(latest).one_or_none()
    return None if row is None else Slot(**{**row._asdict(), "state": SlotState(row.state)})


def pulse(engine: Engine, name: str, *, detail: str | None = None) -> None:
    """Say that a part of the program is alive now."""
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    beat = insert(pulses).values(name=name, at_s=db_now_s(), detail=detail)
    newest = {"at_s": beat.excluded.at_s, "detail": beat.excluded.detail}
    with engine.begin() as connection:
        connection.execute(beat.on_conflict_do_update(index_elements=["name"], set_=newest))


def read_pulses(engine: Engine) -> dict[str, Pulse]:
    """Read the last pulse of every part, by name."""
    statement = select(pulses.c.name, pulses.c.at_s, pulses.c.detail, db_now_s().label("now_s"))
    with reading(engine) as connection:
        rows = connection.execute(statement).all()
    return {
        row.name: Pulse(
            name=row.name, at=datetime.fromtimestamp(row.at_s, UTC), age_s=row.now_s - row.at_s, detail=row.detail
        )
        for row in rows
    }
