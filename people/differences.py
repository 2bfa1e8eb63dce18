"""What differs between the days and trends that are kept and those that were made, so that only that is written.

Whoever follows changes of these tables would else hear of every person's every day at every refresh.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from db.people_notes import PersonRows
from db.people_rows import SubjectDay, SubjectTrend


def differing_days(rows: PersonRows, made: Sequence[SubjectDay]) -> tuple[SubjectDay, ...]:
    """Return the days that are new or differ in anything but when they were made."""
    kept = {(day.model_id, day.day): day for day in rows.days}
    return tuple(day for day in made if not _is_same(kept.get((day.model_id, day.day)), day))


def gone_days(rows: PersonRows, made: Sequence[SubjectDay]) -> tuple[tuple[int, date], ...]:
    """Return model and day of those that are not any more."""
    there = {(day.model_id, day.day) for day in made}
    return tuple((day.model_id, day.day) for day in rows.days if (day.model_id, day.day) not in there)


def differing_trends(rows: PersonRows, made: Sequence[SubjectTrend]) -> tuple[SubjectTrend, ...]:
    """Return the trends that are new or differ in anything but when they were made."""
    kept = {(trend.model_id, trend.measure): trend for trend in rows.trends}
    return tuple(trend for trend in made if not _is_same(kept.get((trend.model_id, trend.measure)), trend))


def gone_trends(rows: PersonRows, made: Sequence[SubjectTrend]) -> tuple[tuple[int, str], ...]:
    """Return model and measure of those that are not any more."""
    there = {(trend.model_id, trend.measure) for trend in made}
    return tuple((one.model_id, one.measure) for one in rows.trends if (one.model_id, one.measure) not in there)


def _is_same(kept: SubjectDay | SubjectTrend | None, made: SubjectDay | SubjectTrend) -> bool:
    return kept is not None and replace(kept, refreshed_at=made.refreshed_at) == made
