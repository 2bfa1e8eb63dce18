"""Reads what is kept of a person for app backends, reports and exports: baseline, relative scores, days and trends.

What the model hears are the scores; what is unusual for this person are the relative scores. Both are of the voice's
expressed emotion as the model hears it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, Select, exists, select

from db.engine import reading
from db.people_schema import relative_results, subject_baselines, subject_days, subject_marks, subject_trends
from db.reasons import BaselineState, TrendState
from db.schema import models

OF_VOICE = ("pitch_median_hz", "pitch_spread_semitones", "level_spread_db", "onsets_per_s", "pause_share")
"""Measures of days that are no labels; those of `trends`, which needs numpy, and most who read rows do not."""

_b, _d, _t, _x = subject_baselines.c, subject_days.c, subject_trends.c, relative_results.c


@dataclass(frozen=True, kw_only=True)
class SubjectBaseline:
    """What was usual for a person under one model, and on how much that stands.

    `offset_values` is what is taken from a note's natural log scores, by label; `own_values` what the person's notes say
    by themselves, before the tenant's other persons are taken into account. Times are those of the notes behind it: of
    the recording, or of the upload where that is not known. `retired_at` is None while it is good.
    """

    id: int
    tenant: str
    subject: str
    model_id: int
    n_notes: int
    n_effective: float
    n_persons: int
    rule_version: int
    state: BaselineState
    offset_values: Mapping[str, float]
    own_values: Mapping[str, float]
    first_at: datetime
    last_at: datetime
    created_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class RelativeResult:
    """A note's scores relative to what was usual for the person before it; written once.

    `state`, `n_notes` and `rule_version` are those of the baseline behind it: how many earlier notes it was made of, 0 where
    nothing was known, and by which rule, None there. While the state is `insufficient`, scores, label, confidence and is_uncertain are None: too little was known to
    call anything unusual. Otherwise the scores are in [0, 1] and sum to 1.
    """

    recording_id: int
    model_id: int
    baseline_id: int | None
    state: BaselineState
    n_notes: int
    rule_version: int | None
    scores: Mapping[str, float] | None
    label: str | None
    confidence: float | None
    is_uncertain: bool | None
    related_at: datetime


@dataclass(frozen=True, kw_only=True)
class SubjectDay:
    """One local day of a person under one model.

    `scores` is the mean over the day's scored notes and `relative` that over those of them that have relative scores;
    `levels` has for each label `level` and `error`, log odds, as the trends are judged by. Each is None where no note
    gives it. `n_failed` counts cancelled notes too, `n_uncertain` is part of `n_scored`, and `week` is the Monday.
    """

    tenant: str
    subject: str
    model_id: int
    day: date
    week: date
    n_scored: int
    n_uncertain: int
    n_no_speech: int
    n_failed: int
    n_pending: int
    speech_ms: int
    scores: Mapping[str, float] | None
    relative: Mapping[str, float] | None
    levels: Mapping[str, Mapping[str, float]] | None
    arousal: float | None
    valence: float | None
    refreshed_at: datetime


@dataclass(frozen=True, kw_only=True)
class SubjectTrend:
    """Where a person's recent days are in one measure, as of a day: `trend` and `chart` as docs/trends.md describes them.

    `baseline` is the frozen one of days, None as long as there are too few; `since` the day on which a shift most likely
    began, None where there is none. `measure` is a label of the model.
    """

    tenant: str
    subject: str
    model_id: int
    measure: str
    state: TrendState
    reason: str
    as_of: date
    since: date | None
    baseline: Mapping[str, Any] | None
    trend: Mapping[str, Any]
    chart: tuple[Mapping[str, Any], ...]
    refreshed_at: datetime


def read_baseline(engine: Engine, tenant: str, subject: str, *, model_id: int) -> SubjectBaseline | None:
    """Read the newest good baseline of a person under a model; None before the first scored note."""
    of_person = (_b.tenant == tenant, _b.subject == subject, _b.model_id == model_id, _b.retired_at.is_(None))
    newest = select(subject_baselines).where(*of_person).order_by(_b.n_notes.desc()).limit(1)
    with reading(engine) as connection:
        row = connection.execute(newest).one_or_none()
    return None if row is None else as_baseline(row._asdict())


def read_baseline_by_id(engine: Engine, baseline_id: int) -> SubjectBaseline | None:
    """Read the baseline that a relative score names; None where there is none of this id."""
    with reading(engine) as connection:
        row = connection.execute(select(subject_baselines).where(_b.id == baseline_id)).one_or_none()
    return None if row is None else as_baseline(row._asdict())


def read_relative(
    engine: Engine, recording_ids: Collection[int], *, model_id: int | None = None
) -> dict[int, RelativeResult]:
    """Read what there is of these notes by recording id; whose notes they are has been asked before.

    Args:
        engine: the database.
        recording_ids: of the notes.
        model_id: under which model; None: the active one.
    """
    if not recording_ids:
        return {}
    wanted = _relative().where(_x.recording_id.in_(recording_ids), _x.model_id == _model(model_id))
    with reading(engine) as connection:
        rows = [row._asdict() for row in connection.execute(wanted)]
    return {row["recording_id"]: as_relative(row) for row in rows}


def read_days(
    engine: Engine,
    tenant: str,
    subject: str,
    *,
    model_id: int | None = None,
    since: date | None = None,
    until: date | None = None,
    is_oldest_first: bool = True,
    after: date | None = None,
    limit: int | None = None,
) -> list[SubjectDay]:
    """Read a person's local days.

    Args:
        engine: the database.
        tenant: whose person.
        subject: the present name, as subjects are stored.
        model_id: under which model; None: the active one.
        since: the first day.
        until: the last day.
        is_oldest_first: from the oldest on; else from the newest on.
        after: go on behind this day.
        limit: this many at most; None: all.
    """
    chosen = [_d.tenant == tenant, _d.subject == subject, _d.model_id == _model(model_id)]
    if since is not None:
        chosen.append(_d.day >= since)
    if until is not None:
        chosen.append(_d.day <= until)
    if after is not None:
        chosen.append(_d.day > after if is_oldest_first else _d.day < after)
    order = _d.day if is_oldest_first else _d.day.desc()
    with reading(engine) as connection:
        rows = connection.execute(select(subject_days).where(*chosen).order_by(order).limit(limit))
        return [SubjectDay(**row._asdict()) for row in rows]


def read_trends(
    engine: Engine, tenant: str, subject: str, *, model_id: int | None = None, of_voice: bool = False
) -> list[SubjectTrend]:
    """Read a person's trends, by name: of each label of the model, or of each measure of the voice.

    The two are not mixed, since their levels are on other scales: those of labels are log odds, those of the voice
    are as `trends.find_measure` says. See `read_days` for the other arguments.
    """
    is_of_voice = _t.measure.in_(OF_VOICE)
    of_kind = is_of_voice if of_voice else ~is_of_voice
    chosen = (_t.tenant == tenant, _t.subject == subject, _t.model_id == _model(model_id), of_kind)
    with reading(engine) as connection:
        rows = connection.execute(select(subject_trends).where(*chosen).order_by(_t.measure))
        return [as_trend(row._asdict()) for row in rows]


def is_due(engine: Engine, tenant: str, subject: str) -> bool:
    """Say whether something of a person has changed that days and trends do not show yet; ask before reading them."""
    c = subject_marks.c
    with reading(engine) as connection:
        # Of columns that the HTTP API's role may read.
        marked = select(c.subject).where(c.tenant == tenant, c.subject == subject)
        return bool(connection.scalar(select(exists(marked))))


def as_baseline(values: dict[str, Any]) -> SubjectBaseline:
    """Make the dataclass of a whole row."""
    return SubjectBaseline(**{**values, "state": BaselineState(values["state"])})


def as_relative(values: dict[str, Any]) -> RelativeResult:
    """Make the dataclass of a row with what its baseline says."""
    state = BaselineState(values["state"] or BaselineState.INSUFFICIENT)
    return RelativeResult(**{**values, "state": state, "n_notes": values["n_notes"] or 0})


def as_trend(values: dict[str, Any]) -> SubjectTrend:
    """Make the dataclass of a whole row."""
    return SubjectTrend(**{**values, "state": TrendState(values["state"]), "chart": tuple(values["chart"])})


def _model(model_id: int | None) -> Any:
    return select(models.c.id).where(models.c.is_active).scalar_subquery() if model_id is None else model_id


def _relative() -> Select[Any]:
    of_baseline = relative_results.outerjoin(subject_baselines, _b.id == _x.baseline_id)
    return select(*_x, _b.state, _b.n_notes, _b.rule_version).select_from(of_baseline)
