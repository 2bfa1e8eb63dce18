"""Ends of a model version: retired, so that nobody scores with it any more, and removed, so that its bundle is gone.

Results stay in every state: they are immutable, and readers may ask for their version by its name.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Engine, Select, delete, exists, func, insert, select, update

from db.columns import db_now
from db.engine import reading
from db.errors import ModelInUse, ModelRetired
from db.model_schema import model_ends, model_readers
from db.reasons import JobState
from db.rows import Model
from db.schema import jobs, models, results

_e = model_ends.c
_OPEN = (JobState.PENDING, JobState.QUEUED, JobState.RUNNING)


class ModelState(StrEnum):
    """Where a model version is in its life."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    RETIRED = "retired"
    REMOVED = "removed"


@dataclass(frozen=True, kw_only=True)
class ModelUse:
    """What there is of a model version: recordings with a result, and jobs by state."""

    n_results: int
    n_jobs: dict[JobState, int]

    @property
    def n_open(self) -> int:
        """Jobs that have not ended."""
        return sum(self.n_jobs.get(state, 0) for state in _OPEN)


def read_states(engine: Engine) -> dict[int, ModelState]:
    """Read the state of every model version, by id."""
    with reading(engine) as connection:
        rows = connection.execute(_ends()).all()
    return {row.id: _state(is_active=row.is_active, retired=row.retired_at, removed=row.removed_at) for row in rows}


def read_use(engine: Engine, model_id: int) -> ModelUse:
    """Count what there is of a model version."""
    with reading(engine) as connection:
        return _count_use(connection, model_id)


def require_in_use(connection: Connection, model: Model) -> None:
    """Refuse a model version that was retired or removed.

    Raises:
        ModelRetired: it was.
    """
    row = connection.execute(select(_e.retired_at, _e.removed_at).where(_e.model_id == model.id)).one_or_none()
    name = f"{model.name}-{model.version}"
    if row is not None and row.removed_at is not None:
        raise ModelRetired(f"the bundle of {name} was removed: `tonalog models add DIR` stores it again")
    if row is not None and row.retired_at is not None:
        raise ModelRetired(
            f"{name} is retired: `tonalog models retire {model.version} --undo` makes it a candidate again"
        )


def retire(engine: Engine, model: Model) -> None:
    """Let nobody score with a model version or switch to it any more; once more changes nothing.

    Raises:
        ModelInUse: it is active, people read it first, or it has jobs that have not ended.
    """
    with engine.begin() as connection:
        _require_idle(connection, model, "retired")
        n = connection.execute(
            update(model_ends).where(_e.model_id == model.id, _e.retired_at.is_(None)).values(retired_at=db_now())
        ).rowcount
        if not n and not connection.scalar(select(exists().where(_e.model_id == model.id))):
            connection.execute(insert(model_ends).values(model_id=model.id, retired_at=db_now()))


def restore(engine: Engine, model: Model) -> None:
    """Make a retired model version a candidate again.

    Raises:
        ModelRetired: its bundle was removed.
    """
    with engine.begin() as connection:
        if connection.scalar(select(_e.removed_at).where(_e.model_id == model.id)) is not None:
            require_in_use(connection, model)
        connection.execute(delete(model_ends).where(_e.model_id == model.id))


def begin_removal(engine: Engine, model: Model) -> None:
    """Say that the bundle of a model version is to go; from then on nobody scores with it.

    Raises:
        ModelInUse: it is active, people read it first, it has jobs that have not ended, or it has results and is not retired.
    """
    with engine.begin() as connection:
        _require_idle(connection, model, "removed")
        is_retired = connection.scalar(select(_e.retired_at).where(_e.model_id == model.id)) is not None
        n_results = _count_use(connection, model.id).n_results
        if n_results and not is_retired:
            raise ModelInUse(
                f"{model.name}-{model.version} has {n_results} results, which stay: run `tonalog models retire "
                f"{model.version}` first if nobody is to score with it or go back to it any more"
            )
        if not connection.execute(
            update(model_ends).where(_e.model_id == model.id).values(removed_at=db_now())
        ).rowcount:
            connection.execute(insert(model_ends).values(model_id=model.id, removed_at=db_now()))


def forget(engine: Engine, model: Model) -> bool:
    """Delete the row of a removed model version that was never used; says whether it was."""
    with engine.begin() as connection:
        use = _count_use(connection, model.id)
        if use.n_results or use.n_jobs or model.activated_at is not None:
            return False
        connection.execute(delete(model_ends).where(_e.model_id == model.id))
        connection.execute(delete(models).where(models.c.id == model.id, ~models.c.is_active))
        return True


def _require_idle(connection: Connection, model: Model, what: str) -> None:
    """Refuse a model version that is in use, behind the lock of whoever switches."""
    name = f"{model.name}-{model.version}"
    connection.execute(select(models.c.id).order_by(models.c.id).with_for_update()).all()
    if connection.scalar(select(models.c.is_active).where(models.c.id == model.id)):
        raise ModelInUse(f"{name} is active and cannot be {what}: activate another one first")
    if connection.scalar(select(exists().where(model_readers.c.model_id == model.id))):
        raise ModelInUse(f"{name} is the canary and cannot be {what}: run `tonalog models canary --stop` first")
    if n_open := _count_use(connection, model.id).n_open:
        raise ModelInUse(
            f"{name} has {n_open} jobs that have not ended and cannot be {what}: wait for them or cancel them"
        )


def _count_use(connection: Connection, model_id: int) -> ModelUse:
    by_state = select(jobs.c.state, func.count()).where(jobs.c.model_id == model_id).group_by(jobs.c.state)
    n_results = connection.scalar(select(func.count()).select_from(results).where(results.c.model_id == model_id))
    return ModelUse(n_results=n_results or 0, n_jobs={JobState(row[0]): row[1] for row in connection.execute(by_state)})


def _ends() -> Select[tuple[int, bool, datetime | None, datetime | None]]:
    joined = models.outerjoin(model_ends, _e.model_id == models.c.id)
    return select(models.c.id, models.c.is_active, _e.retired_at, _e.removed_at).select_from(joined)


def _state(*, is_active: bool, retired: datetime | None, removed: datetime | None) -> ModelState:
    if is_active:
        return ModelState.ACTIVE
    if removed is not None:
        return ModelState.REMOVED
    return ModelState.CANDIDATE if retired is None else ModelState.RETIRED
