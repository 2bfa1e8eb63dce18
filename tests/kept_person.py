"""Puts a simulated person's days and trends into the tables that readers read, as the refresh keeps them."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from db.people_schema import subject_days, subject_trends
from tests.unit.persons import HEARD, LABELS, RELATIVE

AT = datetime(2026, 5, 20, tzinfo=UTC)


def keep(engine, page, *, model_id):
    """Keep a person of `tests.unit.persons`; relative scores from the eleventh day on."""
    by_name = {measure.name: {day.day: day for day in measure.days} for measure in page.measures}
    days = [_as_day(page, day, place, by_name, model_id) for place, day in enumerate(page.days)]
    trends = [_as_trend(page, measure, model_id) for measure in page.measures]
    with engine.begin() as connection:
        connection.execute(insert(subject_days), days)
        connection.execute(insert(subject_trends), trends)


def _as_day(page, day, place, by_name, model_id):
    levels = {
        name: {"level": days[day.day].level, "error": days[day.day].error}
        for name, days in by_name.items()
        if days[day.day].level is not None
    }
    return {
        "tenant": page.tenant,
        "subject": page.subject,
        "model_id": model_id,
        "day": day.day,
        "week": day.day - timedelta(days=day.day.weekday()),
        "n_scored": day.n_scored,
        "n_uncertain": day.n_uncertain,
        "n_no_speech": day.n_no_speech,
        "n_failed": day.n_failed,
        "n_pending": day.n_pending,
        "speech_ms": round(day.speech_s * 1000),
        "scores": HEARD if day.n_scored else None,
        "relative": RELATIVE if day.n_scored and place > 10 else None,
        "levels": levels if set(levels) == set(LABELS) else None,
        "refreshed_at": AT,
    }


def _as_trend(page, measure, model_id):
    told = measure.trend.as_dict()
    chart = told.pop("chart")
    shift = measure.trend.shift
    return {
        "tenant": page.tenant,
        "subject": page.subject,
        "model_id": model_id,
        "measure": measure.name,
        "state": measure.trend.state.value,
        "reason": measure.trend.reason.value,
        "as_of": measure.trend.as_of,
        "since": None if shift is None else shift.since,
        "baseline": told["baseline"],
        "trend": told,
        "chart": chart,
        "refreshed_at": AT,
    }
