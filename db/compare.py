"""Reads the results of two model versions side by side, in pages, however many recordings there are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, or_, select, tuple_

from db.reasons import RecordingState, ResultStatus
from db.results import read_scores
from db.schema import EMOTIONS, attempts, recordings, results
from db.snapshot import take_snapshot

PAGE = 1_000  # recordings in one question
_KEPT = ("status", "label", "is_uncertain", "duration_ms", *EMOTIONS, "extra_scores")
_COST = ("wall_ms", "peak_rss_kib")
_r = recordings.c


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredOutcome:
    """What one version made of a recording; `label` None and no scores: nobody speaks in it.

    `wall_ms` and `peak_rss_kib` are those of the attempt that wrote it, None where they were not kept.
    """

    label: str | None
    is_uncertain: bool
    scores: Mapping[str, float]
    duration_ms: int
    wall_ms: int | None
    peak_rss_kib: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPair:
    """A live recording with a result of at least one of two versions; `subject` None: nobody knows who speaks."""

    recording_id: int
    tenant: str
    subject: str | None
    a: StoredOutcome | None
    b: StoredOutcome | None


@dataclass(frozen=True, kw_only=True)
class Period:
    """Which recordings: of a tenant or of all, of these local days (both included) or of all.

    With `since` or `until` recordings whose time is unknown are left out: they belong to no day.
    """

    tenant: str | None = None
    since: date | None = None
    until: date | None = None


def read_pairs(engine: Engine, *, a: int, b: int, chosen: Period | None = None) -> Iterator[StoredPair]:
    """Read live recordings with what two versions made of them, those of one person one after the other.

    All pages are of one moment. Recordings of nobody known come last.

    Args:
        engine: the database.
        a: id of the first version.
        b: id of the second.
        chosen: which recordings; None: all.
    """
    wanted = _select_pairs(a, b).where(*_fits(chosen or Period()))
    with take_snapshot(engine) as snapshot:
        yield from _read_known(snapshot.connection, wanted)
        yield from _read_unknown(snapshot.connection, wanted)


def _select_pairs(a: int, b: int) -> Select[Any]:
    of_a, of_b = results.alias("a"), results.alias("b")
    attempt_a, attempt_b = attempts.alias("attempt_a"), attempts.alias("attempt_b")
    columns: list[ColumnElement[Any]] = [_r.id, _r.tenant, _r.subject]
    for name, kept, attempt in (("a", of_a, attempt_a), ("b", of_b, attempt_b)):
        columns += [kept.c[column].label(f"{name}_{column}") for column in _KEPT]
        columns += [attempt.c[column].label(f"{name}_{column}") for column in _COST]
    sources = (
        recordings.outerjoin(of_a, and_(of_a.c.recording_id == _r.id, of_a.c.model_id == a))
        .outerjoin(of_b, and_(of_b.c.recording_id == _r.id, of_b.c.model_id == b))
        .outerjoin(attempt_a, attempt_a.c.token == of_a.c.token)
        .outerjoin(attempt_b, attempt_b.c.token == of_b.c.token)
    )
    has_one = or_(of_a.c.recording_id.is_not(None), of_b.c.recording_id.is_not(None))
    return select(*columns).select_from(sources).where(_r.state == RecordingState.LIVE, has_one)


def _fits(chosen: Period) -> list[ColumnElement[bool]]:
    fits: list[ColumnElement[bool]] = [] if chosen.tenant is None else [_r.tenant == chosen.tenant]
    fits += [] if chosen.since is None else [_r.local_day >= chosen.since]
    return fits + ([] if chosen.until is None else [_r.local_day <= chosen.until])


def _read_known(connection: Connection, wanted: Select[Any]) -> Iterator[StoredPair]:
    # By the index of tenant, subject and time: only the notes of one person are put into order.
    whole = wanted.where(_r.subject.is_not(None)).order_by(_r.tenant, _r.subject, _r.id).limit(PAGE)
    after: tuple[str, str, int] | None = None
    while True:
        part = whole if after is None else whole.where(tuple_(_r.tenant, _r.subject, _r.id) > tuple_(*after))
        rows = connection.execute(part).all()
        yield from map(_as_pair, rows)
        if len(rows) < PAGE:
            return
        after = (rows[-1].tenant, rows[-1].subject, rows[-1].id)


def _read_unknown(connection: Connection, wanted: Select[Any]) -> Iterator[StoredPair]:
    whole = wanted.where(_r.subject.is_(None)).order_by(_r.id).limit(PAGE)
    after_id = 0
    while True:
        rows = connection.execute(whole.where(_r.id > after_id)).all()
        yield from map(_as_pair, rows)
        if len(rows) < PAGE:
            return
        after_id = rows[-1].id


def _as_pair(row: Any) -> StoredPair:
    values = row._asdict()
    return StoredPair(
        recording_id=values["id"],
        tenant=values["tenant"],
        subject=values["subject"],
        a=_as_outcome(values, "a"),
        b=_as_outcome(values, "b"),
    )


def _as_outcome(values: Mapping[str, Any], name: str) -> StoredOutcome | None:
    status = values[f"{name}_status"]
    if status is None:
        return None
    kept = {column: values[f"{name}_{column}"] for column in (*_KEPT, *_COST)}
    return StoredOutcome(
        label=kept["label"],
        is_uncertain=bool(kept["is_uncertain"]),
        scores=read_scores(kept) if status == ResultStatus.SCORED else {},
        duration_ms=kept["duration_ms"],
        wall_ms=kept["wall_ms"],
        peak_rss_kib=kept["peak_rss_kib"],
    )
