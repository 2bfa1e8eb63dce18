"""A person's trend in each measure of a model, judged by a frozen baseline of days.

The last day that counts is today on the person's clock, not the day of the last note: whoever sends no more notes has
too few recent days before long, and the state says so. The clock is that of the newest note that says its offset, UTC
where none does. Days after today, which a wrong clock gives, do not count until they have come.

A baseline of days is kept once all notes up to its last day have been through: an import is scored in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from db.people_notes import PersonRows
from db.people_rows import SubjectTrend
from db.reasons import TrendState
from db.rows import Model
from people.own_days import name_model
from trends import VOICE_MEASURES, Day, DayBaseline, TrendSettings, find_measure, judge_person, read_day_baseline


def find_today(rows: PersonRows) -> date:
    """Return the day that it is for a person."""
    offsets = [note.utc_offset_min for note in rows.notes if note.utc_offset_min is not None]
    return (rows.now + timedelta(minutes=offsets[-1] if offsets else 0)).date()


def judge_trends(
    rows: PersonRows, model: Model, days: Mapping[str, Sequence[Day]], *, settings: TrendSettings
) -> tuple[SubjectTrend, ...]:
    """Judge a person in each label of a model, and in each measure of the voice that any note has.

    The promise on false alarms is shared among the labels, and among the measures of the voice.

    Args:
        rows: of the person.
        model: that is judged by.
        days: by label or measure, of every model that has scored the person.
        settings: with the number of measures of one.
    """
    of_voice = [name for name in VOICE_MEASURES if name in days]
    families = (
        (model.labels, replace(settings, n_measures=len(model.labels))),
        (of_voice, replace(settings, n_measures=len(VOICE_MEASURES))),
    )
    today = find_today(rows)
    return tuple(
        _judge(rows, model, name, days=days[name], settings=find_measure(name).adapt_settings(chosen), today=today)
        for names, chosen in families
        for name in names
    )


def _judge(
    rows: PersonRows, model: Model, label: str, *, days: Sequence[Day], settings: TrendSettings, today: date
) -> SubjectTrend:
    trend = judge_person(
        days, settings, model=name_model(model), as_of=today, baseline=_find_baseline(rows, model, label)
    )
    plain = trend.as_dict()
    return SubjectTrend(
        tenant=rows.tenant,
        subject=rows.subject,
        model_id=model.id,
        measure=label,
        state=TrendState(trend.state.value),
        reason=trend.reason.value,
        as_of=today,
        since=None if trend.shift is None else trend.shift.since,
        baseline=None if trend.baseline is None or _is_early(rows, trend.baseline) else trend.baseline.as_dict(),
        chart=tuple(plain.pop("chart")),
        trend=plain,
        refreshed_at=rows.now,
    )


def _is_early(rows: PersonRows, baseline: DayBaseline) -> bool:
    """Say whether a note of a baseline's time is still to be scored, so that the baseline is not to be kept yet."""
    waiting = [note.local_day for note in rows.notes if note.is_waiting and note.local_day is not None]
    return not _is_kept(rows, baseline) and any(day <= baseline.last_day for day in waiting)


def _is_kept(rows: PersonRows, baseline: DayBaseline) -> bool:
    return any(trend.baseline == baseline.as_dict() for trend in rows.trends)


def _find_baseline(rows: PersonRows, model: Model, label: str) -> DayBaseline | None:
    """Return the frozen baseline; None where there is none, or where a note has left its days: then it is made anew."""
    for kept in rows.trends:
        if kept.model_id == model.id and kept.measure == label and kept.baseline is not None:
            baseline = read_day_baseline(kept.baseline)
            left = [mark.left_day for mark in rows.marks if mark.left_day is not None]
            is_whole = not any(baseline.first_day <= day <= baseline.last_day for day in left)
            return baseline if is_whole else None
    return None
