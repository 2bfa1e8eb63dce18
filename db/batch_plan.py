"""Plans a batch: counts which recordings it is for, and makes their jobs, in pages of recording ids that may be interrupted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.batch_schema import batches
from db.batches import guess_audio_ms, insert_batch
from db.columns import db_now, db_now_s
from db.engine import reading
from db.fences import lock_registration
from db.model_ends import require_in_use
from db.model_rows import read_model
from db.reasons import OF_THE_RECORDING, BatchState, JobState, Lane, Reason, RecordingState
from db.schema import jobs, recordings, removed_audio, results

PLAN_PAGE = 5_000
_r = recordings.c
# Two steps of multiplication modulo different primes below 2**31, so that no period of the ids shows in a sample; every
# product fits into 63 bits. The factors are those of Park and Miller (1988) and of Fishman and Moore (1986).
_PRIMES = ((2_147_483_647, 48_271), (2_147_483_629, 69_621))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which recordings a batch is for: live ones without a result or an open job of the model.

    Attributes:
        since: only recordings of this moment or later; the time of upload counts where that of recording is unknown.
        until: only recordings before this moment.
        subject: only this person's, by the present name; needs `tenant`.
        tenant: only this tenant's.
        sample: only this share of them, in (0, 1], the same ones each time; a smaller sample is part of a larger one.
        only_label: only those to which `label_model_id` gave this label.
        limit: at most so many, the oldest registrations first.
        with_unscorable: also those whose bytes could not be scored by any model.
    """

    model_id: int
    since: datetime | None = None
    until: datetime | None = None
    subject: str | None = None
    tenant: str | None = None
    sample: float | None = None
    only_label: str | None = None
    label_model_id: int | None = None
    limit: int | None = None
    with_unscorable: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a choice comes to: recordings to score, those that are known to fail, bytes, and audio as far as known."""

    n_recordings: int = 0
    n_unscorable: int = 0
    n_bytes: int = 0
    known_ms: int = 0
    known_bytes: int = 0

    @property
    def audio_ms(self) -> float | None:
        """Give the audio of all of them, those without a result guessed by their size; None: nothing to go by."""
        return guess_audio_ms(n_bytes=self.n_bytes, known_ms=self.known_ms, known_bytes=self.known_bytes)

    def __add__(self, other: "Plan") -> "Plan":
        """Add the next page."""
        return Plan(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


def measure(engine: Engine, choice: Choice) -> Plan:
    """Count what a batch would be for, page by page, and write nothing."""
    with reading(engine) as connection:
        last_id = connection.scalar(select(func.max(_r.id))) or 0
    total = Plan()
    for low, high in _pages(choice, last_id):
        with reading(engine) as connection:
            _compile_nothing(connection)
            page, is_last = _page(connection, choice, low=low, high=high, n_so_far=total.n_recordings)
            total += _count(connection, page)
        if is_last:
            break
    return total


def begin(engine: Engine, choice: Choice, *, is_paused: bool = False, rate_per_h: int | None = None) -> int:
    """Write a batch down; `plan_next` makes its jobs, except for one person, whose jobs are made here.

    Returns:
        The number of the batch.

    Raises:
        ModelRetired: the model version was retired or removed.
    """
    values = {
        "model_id": choice.model_id,
        "state": BatchState.PAUSED if is_paused else BatchState.RUNNING,
        "since": choice.since,
        "until": choice.until,
        "tenant": choice.tenant,
        "is_of_person": choice.subject is not None,
        "sample": choice.sample,
        "only_label": choice.only_label,
        "label_model_id": choice.label_model_id,
        "max_recordings": choice.limit,
        "with_unscorable": choice.with_unscorable,
        "rate_per_h": rate_per_h,
        "allowance": 1.0,
        "allowance_at_s": db_now_s(),
    }
    with engine.begin() as connection:
        if (model := read_model(connection, choice.model_id)) is not None:
            require_in_use(connection, model)
        batch_id = insert_batch(connection, values)
        if choice.subject is not None:
            _compile_nothing(connection)
            lock_registration(connection)
            row = _lock(connection, batch_id)
            _plan_page(connection, row, choice, high=row.last_id)
        return batch_id


def plan_next(engine: Engine, batch_id: int) -> bool:
    """Make the jobs of the next page of a batch, in one short transaction; two planners never do one page twice.

    Returns:
        False when there was nothing left to plan.
    """
    with engine.begin() as connection:
        _compile_nothing(connection)
        lock_registration(connection)
        row = _lock(connection, batch_id)
        if row is None:
            return False
        choice = Choice(
            model_id=row.model_id,
            since=row.since,
            until=row.until,
            tenant=row.tenant,
            sample=row.sample,
            only_label=row.only_label,
            label_model_id=row.label_model_id,
            limit=row.max_recordings,
            with_unscorable=row.with_unscorable,
        )
        _plan_page(connection, row, choice, high=min(row.cursor_id + PLAN_PAGE, row.last_id))
        return True


def plan_all(engine: Engine, batch_id: int, *, on_page: Callable[[], None] = lambda: None) -> None:
    """Make the jobs of all pages that are left."""
    while plan_next(engine, batch_id):
        on_page()


def _compile_nothing(connection: Connection) -> None:
    """Keep PostgreSQL from compiling the statements of a page, which takes a second and saves some milliseconds."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL jit = off"))


def _lock(connection: Connection, batch_id: int) -> Any:
    is_open = (batches.c.planned_at.is_(None), batches.c.state.in_((BatchState.RUNNING, BatchState.PAUSED)))
    return connection.execute(select(batches).where(batches.c.id == batch_id, *is_open).with_for_update()).one_or_none()


def _plan_page(connection: Connection, row: Any, choice: Choice, *, high: int) -> None:
    page, is_last = _page(connection, choice, low=row.cursor_id, high=high, n_so_far=row.n_recordings)
    make, note = _make_jobs(connection, row.id, choice, page), _note_unscorable(connection, choice, page)
    if connection.dialect.name == "postgresql":
        # In one statement: to find the recordings costs as much as to make their jobs.
        counted = _count(connection, page, make.cte("made"), note.cte("noted"))
    else:
        counted = _count(connection, page)
        if counted.n_recordings:
            connection.execute(make)
        if counted.n_unscorable:
            connection.execute(note)
    values: dict[str, Any] = {
        name: batches.c[name] + getattr(counted, name) for name in Plan.__dataclass_fields__ if getattr(counted, name)
    }
    values["cursor_id"] = high
    if is_last or high >= row.last_id:
        values["planned_at"] = db_now()
    connection.execute(update(batches).where(batches.c.id == row.id).values(values))


def _pages(choice: Choice, last_id: int) -> Iterator[tuple[int, int]]:
    if choice.subject is not None:
        yield 0, last_id
        return
    for low in range(0, last_id, PLAN_PAGE):
        yield low, min(low + PLAN_PAGE, last_id)


def _page(connection: Connection, choice: Choice, *, low: int, high: int, n_so_far: int) -> tuple[CTE, bool]:
    """Give the chosen recordings of a span of ids, cut where the limit is reached, and whether it was.

    They are found once for each statement; as a subquery, each use of a column would look it up anew.
    """
    if choice.limit is not None:
        found = _chosen(choice, low=low, high=high).subquery("found")
        left = choice.limit - n_so_far
        nth = select(found.c.id).where(found.c.reason.is_(None)).order_by(found.c.id).offset(left - 1).limit(1)
        last = connection.scalar(nth)
        if last is not None:
            return _once(_chosen(choice, low=low, high=last)), True
    return _once(_chosen(choice, low=low, high=high)), False


def _once(chosen: Select[Any]) -> CTE:
    return chosen.cte("page").prefix_with("MATERIALIZED")


def _chosen(choice: Choice, *, low: int, high: int) -> Select[Any]:
    """Choose recordings, each with its size, its length if one is known, and the reason why it cannot be scored if one is."""
    columns = (_r.id, _r.size_bytes, _known_ms().label("known_ms"), _known_reason(choice).label("reason"))
    statement = select(*columns).where(_r.id > low, _r.id <= high, _r.state == RecordingState.LIVE)
    statement = statement.where(~_has_job(choice, low=low, high=high))
    moment = func.coalesce(_r.recorded_at, _r.uploaded_at)
    if choice.since is not None:
        statement = statement.where(moment >= choice.since)
    if choice.until is not None:
        statement = statement.where(moment < choice.until)
    if choice.tenant is not None:
        statement = statement.where(_r.tenant == choice.tenant)
    if choice.subject is not None:
        statement = statement.where(_r.subject == choice.subject)
    if choice.sample is not None:
        statement = statement.where(_is_sampled(choice.sample))
    if choice.only_label is not None:
        statement = statement.where(_has_label(choice, low=low, high=high))
    return statement


def _has_job(choice: Choice, *, low: int, high: int) -> ColumnElement[bool]:
    """Say that a recording has a job of the model that this batch does not take over.

    Jobs are found by their recording alone: statistics know nothing of jobs that the pages before have just made, so that
    a planner of PostgreSQL would read all jobs of the model for each page. An expression hides the model from it.
    """
    own = jobs.alias("own")
    in_page = (own.c.recording_id == _r.id, own.c.recording_id > low, own.c.recording_id <= high)
    is_of_model = own.c.model_id + 0 == choice.model_id
    return exists().where(*in_page, is_of_model, ~_may_begin_again(choice, own.c))


def _may_begin_again(choice: Choice, job: Any) -> ColumnElement[bool]:
    """Say which jobs of the model an earlier batch left behind that this one takes over."""
    reason = func.coalesce(job.reason, "")
    was_cancelled = and_(job.state == JobState.CANCELLED, reason == Reason.CANCELLED)
    if not choice.with_unscorable:
        return was_cancelled
    return or_(was_cancelled, and_(job.state == JobState.DEAD, reason.in_(OF_THE_RECORDING)))


def _known_ms() -> ColumnElement[int | None]:
    return select(func.max(results.c.duration_ms)).where(results.c.recording_id == _r.id).scalar_subquery()


def _known_reason(choice: Choice) -> ColumnElement[str | None]:
    # Not by EXISTS: for one page PostgreSQL would make a hash of a whole table.
    gone = select(func.max(removed_audio.c.erasure_id)).where(removed_audio.c.recording_id == _r.id)
    is_gone = gone.scalar_subquery().is_not(None)
    cases = [(is_gone, literal(Reason.OBJECT_MISSING.value))]
    if choice.with_unscorable:
        return case(*cases)
    other = jobs.alias("other")
    is_dead = func.coalesce(other.c.state, "") == JobState.DEAD  # hidden as in `_has_job`
    failed = select(func.min(other.c.reason)).where(
        other.c.recording_id == _r.id, is_dead, other.c.reason.in_(OF_THE_RECORDING)
    )
    return case(*cases, (_known_ms().is_(None), failed.scalar_subquery()))


def _is_sampled(share: float) -> ColumnElement[bool]:
    value: ColumnElement[int] = _r.id
    for prime, factor in _PRIMES:
        value = (value % prime) * factor % prime
    return value < round(share * _PRIMES[-1][0])


def _has_label(choice: Choice, *, low: int, high: int) -> ColumnElement[bool]:
    c = results.c
    in_page = (c.recording_id == _r.id, c.recording_id > low, c.recording_id <= high)
    return exists().where(*in_page, c.model_id == choice.label_model_id, c.label == choice.only_label)


def _count(connection: Connection, page: CTE, *beside: CTE) -> Plan:
    """Count a page, and do what else is to be done in the same statement."""
    is_scorable = page.c.reason.is_(None)
    is_known = and_(is_scorable, page.c.known_ms.is_not(None))
    columns = (
        func.sum(case((is_scorable, 1), else_=0)),
        func.sum(case((is_scorable, 0), else_=1)),
        func.sum(case((is_scorable, page.c.size_bytes), else_=0)),
        func.sum(case((is_known, page.c.known_ms), else_=0)),
        func.sum(case((is_known, page.c.size_bytes), else_=0)),
    )
    row = connection.execute(select(*columns).select_from(page).add_cte(*beside)).one()
    names = ("n_recordings", "n_unscorable", "n_bytes", "known_ms", "known_bytes")
    return replace(Plan(), **{name: int(value or 0) for name, value in zip(names, row, strict=True)})


def _make_jobs(connection: Connection, batch_id: int, choice: Choice, page: CTE) -> Any:
    values = (literal(choice.model_id), literal(JobState.PENDING.value), literal(Lane.BULK.value), literal(batch_id))
    new = select(page.c.id, *values, db_now_s(), db_now()).where(page.c.reason.is_(None))
    columns = ["recording_id", "model_id", "state", "lane", "batch_id", "next_run_at_s", "created_at"]
    statement = _insert(connection).from_select(columns, new)
    fresh = {"failures": 0, "transients": 0, "lost_count": 0, "queue_count": 0}
    cleared = dict.fromkeys(("reason", "detail", "finished_at", "first_transient_at_s", "queued_at_s", "worker"))
    same = {name: statement.excluded[name] for name in ("state", "lane", "batch_id", "next_run_at_s")}
    return statement.on_conflict_do_update(
        index_elements=["recording_id", "model_id"],
        set_={**fresh, **cleared, **same},
        where=_may_begin_again(choice, jobs.c),
    )


def _note_unscorable(connection: Connection, choice: Choice, page: CTE) -> Any:
    """End the jobs of recordings of which it is known why they cannot be scored, so that nothing tries them again."""
    known = literal("known from a job of another model")
    values = (literal(choice.model_id), literal(JobState.DEAD.value), literal(Lane.BULK.value), page.c.reason, known)
    new = select(page.c.id, *values, db_now_s(), db_now(), db_now()).where(page.c.reason.is_not(None))
    columns = ["recording_id", "model_id", "state", "lane", "reason", "detail"]
    columns += ["next_run_at_s", "created_at", "finished_at"]
    statement = _insert(connection).from_select(columns, new)
    return statement.on_conflict_do_nothing()


def _insert(connection: Connection) -> Any:
    return postgresql_insert(jobs) if connection.dialect.name == "postgresql" else sqlite_insert(jobs)
