"""Switches the active model version, and back; the check that no reader loses a result is in the transaction that switches."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, select, update

from db.columns import db_now
from db.coverage import Coverage, count_coverage
from db.engine import reading
from db.errors import ModelIncomplete, RowNotFound
from db.model_ends import require_in_use
from db.model_rows import as_model, read_model
from db.model_schema import model_activations, model_readers
from db.people_marks import mark_everybody
from db.rows import Model
from db.schema import models

_a = model_activations.c
NOTHING = Coverage(n_results=0, n_covered=0)


@dataclass(frozen=True, kw_only=True)
class Switched:
    """What a switch did: which one is active now, which one was (None: none, or the same), and what the new one covers."""

    model: Model
    previous: Model | None
    coverage: Coverage


@dataclass(frozen=True, kw_only=True)
class Activation:
    """One switch as it is kept: names are NAME-VERSION, the counts are those of `Coverage`."""

    at: datetime
    model: str
    previous: str | None
    n_results: int
    n_covered: int
    is_forced: bool


def activate(engine: Engine, model_id: int, *, min_coverage: float = 1.0, force: bool = False) -> Switched:
    """Make one model version the one that readers see and that new recordings are scored with.

    Args:
        engine: the database.
        model_id: the model version.
        min_coverage: which share of what the active one has scored it must cover, in [0, 1]. A recording that no model
            can score, as for NOT_AUDIO or OBJECT_MISSING, counts as covered.
        force: activate it whatever readers lose by that.

    Raises:
        RowNotFound: there is no such model.
        ModelRetired: it was retired or removed.
        ModelIncomplete: it covers less, or days of people are still to be made of its results.
    """
    with engine.begin() as connection:
        old = _lock(connection)
        new = _require(connection, model_id)
        covered = (
            NOTHING if old is None or old.id == new.id else count_coverage(connection, old_id=old.id, new_id=new.id)
        )
        if old is not None and not force:
            _require_coverage(new, old, covered, min_coverage)
        return _switch(connection, new, old, covered, is_forced=force)


def roll_back(engine: Engine) -> Switched:
    """Make that model version active again which was so before the last switch; the same again goes forward.

    It is not held up by recordings that only the newer one has scored: who rolls back has a reason to.

    Raises:
        RowNotFound: there was no switch from one model version to another.
        ModelRetired: the earlier one was retired or removed.
    """
    with engine.begin() as connection:
        old = _lock(connection)
        last = select(_a.previous_id).where(_a.previous_id.is_not(None)).order_by(_a.id.desc()).limit(1)
        model_id = connection.scalar(last)
        if old is None or model_id is None or model_id == old.id:
            raise RowNotFound("there is no earlier model to go back to: `tonalog models list` shows what there is")
        new = _require(connection, model_id)
        covered = count_coverage(connection, old_id=old.id, new_id=new.id)
        return _switch(connection, new, old, covered, is_forced=bool(covered.n_missing))


def read_coverage(engine: Engine, model_id: int) -> Coverage | None:
    """Count what a model has of what the active one has; None where none is active or it is that one."""
    with reading(engine) as connection:
        old_id = connection.scalar(select(models.c.id).where(models.c.is_active))
        if old_id is None or old_id == model_id:
            return None
        return count_coverage(connection, old_id=old_id, new_id=model_id)


def list_activations(engine: Engine, *, model_id: int | None = None) -> list[Activation]:
    """Read the switches to or from a model version, or all of them, the last one first."""
    new, old = models.alias(), models.alias()
    joined = model_activations.join(new, new.c.id == _a.model_id).outerjoin(old, old.c.id == _a.previous_id)
    model, previous = (
        (one.c.name + "-" + one.c.version).label(name) for one, name in ((new, "model"), (old, "previous"))
    )
    wanted = select(_a.at, model, previous, _a.n_results, _a.n_covered, _a.is_forced).select_from(joined)
    if model_id is not None:
        wanted = wanted.where((_a.model_id == model_id) | (_a.previous_id == model_id))
    with reading(engine) as connection:
        return [Activation(**row._asdict()) for row in connection.execute(wanted.order_by(_a.id.desc()))]


def _lock(connection: Connection) -> Model | None:
    """Wait for other switches, and read which model is active."""
    connection.execute(select(models.c.id).order_by(models.c.id).with_for_update()).all()
    row = connection.execute(select(models).where(models.c.is_active)).one_or_none()
    return None if row is None else as_model(row._asdict())


def _require(connection: Connection, model_id: int) -> Model:
    model = read_model(connection, model_id)
    if model is None:
        raise RowNotFound(f"there is no model with id {model_id}: `tonalog models list` shows what there is")
    require_in_use(connection, model)
    return model


def _switch(connection: Connection, new: Model, old: Model | None, covered: Coverage, *, is_forced: bool) -> Switched:
    if old is not None and old.id == new.id:
        return Switched(model=new, previous=None, coverage=covered)
    connection.execute(update(models).where(models.c.is_active).values(is_active=False))
    switched = update(models).where(models.c.id == new.id).values(is_active=True, activated_at=db_now())
    row = connection.execute(switched.returning(*models.c)).one()
    counts = {"n_results": covered.n_results, "n_covered": covered.n_covered, "is_forced": is_forced}
    whose = {"model_id": new.id, "previous_id": None if old is None else old.id}
    connection.execute(insert(model_activations).values(at=db_now(), **whose, **counts))
    connection.execute(delete(model_readers).where(model_readers.c.model_id == new.id))  # everybody reads it now
    mark_everybody(connection)  # pending notes and trends are those of the active model
    return Switched(model=as_model(row._asdict()), previous=old, coverage=covered)


def _require_coverage(new: Model, old: Model, covered: Coverage, min_coverage: float) -> None:
    name = f"{new.name}-{new.version}"
    if covered.n_missing and covered.share < min_coverage:
        raise ModelIncomplete(
            f"{name} is not activated: of what {old.name}-{old.version} has results for, it covers "
            f"{covered.describe()}, and readers would lose them. `tonalog reprocess --model {new.version}` makes the jobs; "
            f"--min-coverage {max(int(covered.share * 10_000) / 10_000, 0):g} or --force activates it all the same"
        )
    if covered.n_people_waiting:
        raise ModelIncomplete(
            f"{name} is not activated: days and trends of {covered.n_people_waiting} people are still to be made of its "
            "results, and readers would see none of theirs. The scheduler does it within minutes; --force activates it "
            "all the same"
        )
