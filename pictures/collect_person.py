"""Reads what is kept of a person and puts it together for the person's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from db import Engine, models
from db.people_rows import SubjectBaseline, SubjectDay, SubjectTrend, read_baseline, read_days, read_trends
from db.reasons import BaselineState
from db.rows import Model
from pictures.person import Measure, Mix, OwnBaseline, PersonPage
from trends import VOICE_MEASURES, Day, PersonTrend, TrendSettings
from trends import read_baseline as read_rule_of
from trends.kept_trend import read_person_trend

MANIFEST_KEY = "baseline"
SHOWN_DAYS = 366  # with more, a day is narrower than a pixel of a telephone


def collect_person(
    engine: Engine, tenant: str, subject: str, *, settings: TrendSettings | None = None, model_id: int | None = None
) -> PersonPage | None:
    """Collect a person's page under one model, the last year of it; None where nothing is kept of the person.

    Args:
        engine: the database.
        tenant: whose person.
        subject: the present name, as subjects are stored.
        settings: that trends are judged by.
        model_id: under which model; None: the active one.
    """
    known = {model.id: model for model in models.list_models(engine)}
    is_wanted = {one.id: one.is_active if model_id is None else one.id == model_id for one in known.values()}
    active = next((one for one in known.values() if is_wanted[one.id]), None)
    if active is None:
        return None
    days = {one: read_days(engine, tenant, subject, model_id=one) for one in known}
    if not days[active.id]:
        return None
    kept = Kept(
        days=[day for found in days.values() for day in found],
        trends=[
            trend
            for of_voice in (False, True)
            for trend in read_trends(engine, tenant, subject, model_id=active.id, of_voice=of_voice)
        ],
        own=read_own(active, read_baseline(engine, tenant, subject, model_id=active.id)),
    )
    return make_page(kept, active, known=known, settings=settings or TrendSettings())


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What is kept of one person: days by every model, at least one by the active one, and the active model's trends.

    Trends are of labels and of measures of the voice, in any order.
    """

    days: Sequence[SubjectDay]
    trends: Sequence[SubjectTrend]
    own: OwnBaseline | None


def make_page(
    kept: Kept, active: Model, *, known: Mapping[int, Model], settings: TrendSettings, remark: str | None = None
) -> PersonPage:
    """Put together a person's page.

    Args:
        kept: of the person.
        active: model that the page is about.
        known: models by id.
        settings: that trends are judged by.
        remark: one sentence on where the notes come from.
    """
    of_active = sorted((day for day in kept.days if day.model_id == active.id), key=lambda day: day.day)
    as_of = max([trend.as_of for trend in kept.trends] or [of_active[-1].day])
    first = as_of - timedelta(days=SHOWN_DAYS - 1)
    shown = [day for day in kept.days if first <= day.day <= as_of]
    order = {name: place for place, name in enumerate((*active.labels, *VOICE_MEASURES))}
    ordered = sorted(kept.trends, key=lambda one: (order.get(one.measure, len(order)), one.measure))
    read = [(one.measure, _read_trend(one)) for one in ordered]
    measures = [
        Measure(name=name, trend=trend, days=tuple(_as_day(day, known[day.model_id], name) for day in shown))
        for name, trend in read
        if trend is not None
    ]
    unread = [name for name, trend in read if trend is None]
    active_first = sorted(shown, key=lambda day: day.model_id != active.id)
    return PersonPage(
        subject=of_active[0].subject,
        tenant=of_active[0].tenant,
        as_of=as_of,
        settings=settings,
        measures=tuple(measure for measure in measures if not measure.is_of_voice),
        voice=tuple(measure for measure in measures if measure.is_of_voice),
        mix=mix_recent(of_active, active.labels, as_of=as_of, n_days=settings.recent_days),
        own=kept.own,
        remark=remark,
        covered=tuple(_as_day(day, known[day.model_id], None) for day in active_first),
        unread=tuple(name for name in unread if name not in VOICE_MEASURES),
        unread_voice=tuple(name for name in unread if name in VOICE_MEASURES),
    )


def _read_trend(kept: SubjectTrend) -> PersonTrend | None:
    try:
        return read_person_trend({**kept.trend, "baseline": kept.baseline}, chart=kept.chart)
    except ValueError:
        return None  # by another version of the method: the page says so, and the refresh makes it anew


def mix_recent(days: Sequence[SubjectDay], labels: Sequence[str], *, as_of: date, n_days: int) -> Mix | None:
    """Return the mean scores of the scored notes of the last days; None where there are none.

    The relative ones are over the days that have some, each day by its scored notes.
    """
    first = as_of - timedelta(days=n_days - 1)
    recent = [day for day in days if first <= day.day <= as_of and day.scores is not None and day.n_scored]
    if not recent:
        return None
    related = [day for day in recent if day.relative is not None]
    n_notes = sum(day.n_scored for day in recent)
    n_related = sum(day.n_scored for day in related)
    scores = {name: sum(day.scores[name] * day.n_scored for day in recent if day.scores) / n_notes for name in labels}
    relative = None
    if n_related:
        relative = {
            name: sum(day.relative[name] * day.n_scored for day in related if day.relative) / n_related
            for name in labels
        }
    return Mix(first_day=recent[0].day, last_day=recent[-1].day, n_notes=n_notes, scores=scores, relative=relative)


def _as_day(day: SubjectDay, model: Model, measure: str | None) -> Day:
    found = None if measure is None else (day.levels or {}).get(measure)
    return Day(
        day=day.day,
        model=f"{model.name}-{model.version}",
        level=None if found is None else found["level"],
        error=None if found is None else found["error"],
        n_scored=day.n_scored,
        n_uncertain=day.n_uncertain,
        n_no_speech=day.n_no_speech,
        n_failed=day.n_failed,
        n_pending=day.n_pending,
        speech_s=day.speech_ms / 1000,
    )


def read_own(model: Model, kept: SubjectBaseline | None) -> OwnBaseline | None:
    """Return what a person's relative scores compare with; None where the model has no rule for that."""
    raw = model.manifest.get(MANIFEST_KEY)
    if raw is None:
        return None
    needed = read_rule_of(raw, labels=model.labels).rule.min_notes
    if kept is None:
        return OwnBaseline(is_personal=False, n_notes=0, needed_notes=needed)
    return OwnBaseline(
        is_personal=kept.state is BaselineState.PERSONAL,
        n_notes=kept.n_notes,
        needed_notes=needed,
        first_day=kept.first_at.date(),
        last_day=kept.last_at.date(),
    )
