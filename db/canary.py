"""Starts and stops the canary, and makes the jobs by which its people's recordings are scored twice."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, literal, select, tuple_, update

from db.api_schema import changes
from db.columns import db_now
from db.coverage import Coverage, count_coverage, list_people_waiting
from db.engine import reading
from db.errors import ModelInUse
from db.jobs import create_jobs, create_jobs_of
from db.model_ends import require_in_use
from db.model_readers import Canary, find_canary
from db.model_schema import model_readers
from db.reasons import ChangeKind, Lane, RecordingState
from db.rows import Model
from db.schema import models, recordings

_r = recordings.c
BATCH = 200
_NOTHING = Coverage(n_results=0, n_covered=0)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a canary is: who is in, how many jobs were made now, and what of its people's results the candidate has."""

    canary: Canary
    n_people: int
    n_jobs: int
    coverage: Coverage


def start(
    engine: Engine, model: Model, *, tenant: str | None = None, share: float | None = None, force: bool = False
) -> Progress:
    """Have some people's recordings scored by a candidate too, and let their readers get it once all of them are.

    Called again it goes on, with a larger or a smaller share too. Who reads the candidate already goes on doing so.

    Args:
        engine: the database.
        model: the candidate.
        tenant: all people of this tenant.
        share: or this share of all people, in (0, 1].
        force: let readers get it whatever they lose by that.

    Raises:
        ModelRetired: the model was retired or removed.
        ModelInUse: it is active, or another canary is under way.
    """
    with engine.begin() as connection:
        old_id = _begin(connection, model, tenant=tenant, share=share)
        canary = _require(connection)
    n_jobs = make_jobs(engine, canary, lane=Lane.BULK)
    people = _list_people(engine, canary)
    with engine.begin() as connection:
        covered = _count(connection, canary, people, old_id=old_id)
        if force or not (covered.n_missing or covered.n_people_waiting):
            _let_read(connection, canary, people)
        return Progress(canary=_require(connection), n_people=len(people), n_jobs=n_jobs, coverage=covered)


def stop(engine: Engine) -> Canary | None:
    """Let everybody read the active model again; gives what was stopped, None where there was nothing.

    Jobs that were made are done, and results stay.
    """
    canary = None
    with reading(engine) as connection:
        canary = find_canary(connection)
    if canary is None:
        return None
    people = _list_people(engine, canary)
    with engine.begin() as connection:
        connection.execute(delete(model_readers))
        if canary.read_share is not None:
            _tell(connection, canary, people)
    return canary


def make_jobs(engine: Engine, canary: Canary, *, lane: Lane) -> int:
    """Make the jobs of the candidate that recordings of the canary's people lack; a second call adds none.

    Raises:
        ModelRetired: the model was retired or removed.
    """
    if canary.tenant is not None:
        return create_jobs(engine, canary.model_id, lane=lane, tenant=canary.tenant)
    people = _list_people(engine, canary)
    return sum(create_jobs_of(engine, canary.model_id, part, lane=lane) for part in _parts(people))


def _begin(connection: Connection, model: Model, *, tenant: str | None, share: float | None) -> int | None:
    """Keep what is wanted, behind the lock of whoever switches; gives the active model."""
    rows = connection.execute(select(models.c.id, models.c.is_active).order_by(models.c.id).with_for_update()).all()
    old_id = next((row.id for row in rows if row.is_active), None)
    name = f"{model.name}-{model.version}"
    require_in_use(connection, model)
    if old_id == model.id:
        raise ModelInUse(f"{name} is active: everybody reads it")
    now = find_canary(connection)
    if now is None:
        values = {"id": 1, "model_id": model.id, "tenant": tenant, "share": share, "since": db_now()}
        connection.execute(insert(model_readers).values(values))
        return old_id
    if (now.model_id, now.tenant) != (model.id, tenant):
        raise ModelInUse(f"{name} cannot be the canary of other people while another one is under way: stop that first")
    # Fewer people need nothing more; further ones read it once their recordings are scored.
    read_share = now.read_share if share is None or now.read_share is None else min(now.read_share, share)
    connection.execute(update(model_readers).values(share=share, read_share=read_share))
    return old_id


def _require(connection: Connection) -> Canary:
    canary = find_canary(connection)
    if canary is None:
        raise ModelInUse("the canary was stopped meanwhile")
    return canary


def _let_read(connection: Connection, canary: Canary, people: list[tuple[str, str]]) -> None:
    wanted = 1.0 if canary.share is None else canary.share
    if canary.read_share != wanted:
        connection.execute(update(model_readers).values(read_share=wanted))
        _tell(connection, canary, people)


def _tell(connection: Connection, canary: Canary, people: list[tuple[str, str]]) -> None:
    """Tell apps that mirror notes to fetch those of the canary's people again."""
    columns = (_r.tenant, literal(ChangeKind.NOTE_UPSERTED.value), _r.id, db_now())
    for chosen in _conditions(canary, people):
        wanted = select(*columns).where(_r.state == RecordingState.LIVE, chosen)
        connection.execute(insert(changes).from_select(["tenant", "kind", "recording_id", "at"], wanted))


def _count(connection: Connection, canary: Canary, people: list[tuple[str, str]], *, old_id: int | None) -> Coverage:
    if old_id is None:
        return _NOTHING
    covered = _NOTHING
    for chosen in _conditions(canary, people):
        covered += count_coverage(connection, old_id=old_id, new_id=canary.model_id, among=chosen)
    waiting = list_people_waiting(connection, old_id=old_id, new_id=canary.model_id)
    n_waiting = sum(canary.scores(tenant, subject) for tenant, subject in waiting)
    return covered + Coverage(n_results=0, n_covered=0, n_people_waiting=n_waiting)


def _conditions(canary: Canary, people: list[tuple[str, str]]) -> Iterator[ColumnElement[bool]]:
    """Give conditions on `recordings` that together choose those of the canary's people."""
    if canary.tenant is not None:
        yield _r.tenant == canary.tenant
        return
    for part in _parts(people):
        yield tuple_(_r.tenant, _r.subject).in_(part)


def _list_people(engine: Engine, canary: Canary) -> list[tuple[str, str]]:
    chosen = [_r.state == RecordingState.LIVE, _r.subject.is_not(None)]
    if canary.tenant is not None:
        chosen.append(_r.tenant == canary.tenant)
    wanted = select(_r.tenant, _r.subject).where(*chosen).distinct().order_by(_r.tenant, _r.subject)
    with reading(engine) as connection:
        rows: Iterable[tuple[str, str]] = ((row.tenant, row.subject) for row in connection.execute(wanted))
        return [one for one in rows if canary.scores(*one)]


def _parts(people: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    for start_at in range(0, len(people), BATCH):
        yield people[start_at : start_at + BATCH]
