"""Counts notes by label and by score, person by person, in two periods; what the nightly measure of drift is made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, case, func, or_, select

from db.engine import reading
from db.operations import N_BINS, is_in_bin
from db.reasons import RecordingState, ResultStatus
from db.schema import EMOTIONS, models, recordings, results
from db.snapshot import take_snapshot

LABELS = "labels"  # the distribution of labels, with no speech as the last place
_N_PARTS = 256  # of the notes of nobody known
_FETCH = 500  # rows of some hundred columns
_r, _s = recordings.c, results.c
_SIDES = ("recent", "reference")


@dataclass(frozen=True, kw_only=True)
class Days:
    """Local days, both ends included."""

    since: date
    until: date


@dataclass(frozen=True, kw_only=True)
class PersonCounts:
    """One person's notes of one model by distribution and place: labels and no speech, and tenths of each of four scores.

    `person` tells persons apart and is for no eye; notes of nobody known come as a few hundred such persons.
    """

    model_id: int
    person: str
    recent: Mapping[str, Sequence[int]]
    reference: Mapping[str, Sequence[int]]


def list_sizes(engine: Engine) -> dict[int, dict[str, int]]:
    """Return for each registered model how many places each of its distributions has."""
    return {
        model_id: {LABELS: len(labels) + 1} | dict.fromkeys(EMOTIONS, N_BINS)
        for model_id, labels in _read_labels(engine).items()
    }


def count_persons(engine: Engine, *, recent: Days, reference: Days) -> Iterator[PersonCounts]:
    """Count live notes with a known local day under every model, a few hundred persons in memory at a time.

    Args:
        engine: the database.
        recent: the days that are judged.
        reference: the days that they are held against; they share none.
    """
    of_models = _read_labels(engine)
    labels = sorted({label for known in of_models.values() for label in known})
    wanted = _select_counts(labels, {"recent": recent, "reference": reference})
    with take_snapshot(engine) as snapshot:
        for row in snapshot.connection.execute(wanted, execution_options={"yield_per": _FETCH}):
            values = row._asdict()
            known = of_models.get(values["model_id"])
            if known is not None:  # else registered since
                yield _as_counts(values, places=[labels.index(label) for label in known])


def _read_labels(engine: Engine) -> dict[int, tuple[str, ...]]:
    with reading(engine) as connection:
        rows = connection.execute(select(models.c.id, models.c.labels).order_by(models.c.id))
        return {row.id: tuple(row.labels) for row in rows}


def _select_counts(labels: Sequence[str], periods: Mapping[str, Days]) -> Select[Any]:
    part = case((_r.subject.is_(None), _r.id % _N_PARTS)).label("part")
    sums: list[ColumnElement[Any]] = []
    for side, days in periods.items():
        is_then = _r.local_day.between(days.since, days.until)
        is_scored = and_(is_then, _s.status == ResultStatus.SCORED)
        for place, label in enumerate(labels):
            sums.append(_count(and_(is_scored, _s.label == label)).label(f"{side}_label_{place}"))
        sums.append(_count(and_(is_then, _s.status == ResultStatus.NO_SPEECH)).label(f"{side}_silent"))
        for emotion in EMOTIONS:
            for place in range(N_BINS):
                in_bin = and_(is_scored, is_in_bin(_s[emotion], place))
                sums.append(_count(in_bin).label(f"{side}_{emotion}_{place}"))
    whole = or_(*(_r.local_day.between(days.since, days.until) for days in periods.values()))
    return (
        select(_s.model_id, _r.tenant, _r.subject, part, *sums)
        .select_from(recordings.join(results, _s.recording_id == _r.id))
        .where(_r.state == RecordingState.LIVE, whole)
        .group_by(_s.model_id, _r.tenant, _r.subject, part)
    )


def _count(fits: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((fits, 1), else_=0))


def _as_counts(values: Mapping[str, Any], *, places: Sequence[int]) -> PersonCounts:
    whose = values["subject"] if values["subject"] is not None else f"\x1f{values['part']}"
    sides: dict[str, dict[str, list[int]]] = {}
    for side in _SIDES:
        of_labels = [int(values[f"{side}_label_{place}"]) for place in places]
        sides[side] = {LABELS: [*of_labels, int(values[f"{side}_silent"])]}
        for emotion in EMOTIONS:
            sides[side][emotion] = [int(values[f"{side}_{emotion}_{place}"]) for place in range(N_BINS)]
    return PersonCounts(model_id=values["model_id"], person=f"{values['tenant']}\x1f{whose}", **sides)
