"""Fills a database for `api_load.py`: notes by the test suite's filling, and what the refresh keeps of each person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, literal, select

from db.people_schema import relative_results, subject_baselines, subject_days, subject_trends
from db.schema import recordings, results

ROOT = Path(__file__).resolve().parent.parent
LABELS = ("anger", "happiness", "neutral", "sadness")
SCORES = dict.fromkeys(LABELS, 0.25)


def tenant_of(person: int) -> str:
    """Give the tenant of `person-N`, as the filling has it."""
    return f"tenant-{person % 10}"


def fill(engine: Engine, *, n_notes: int, n_people: int) -> None:
    """Fill an empty, migrated database."""
    sys.path.insert(0, str(ROOT / "tests"))
    import filling  # noqa: PLC0415 - of the test suite
    from kept_rows import judge  # noqa: PLC0415

    filling.fill(engine, n_notes=n_notes, n_people=n_people)
    with engine.begin() as connection:
        if not connection.scalar(select(func.count()).select_from(subject_days)):
            # Past the trigger that tells each of these notes again.
            triggers = filling._without_triggers(connection)  # noqa: SLF001 - as it does itself
            _keep(connection, judge().as_dict())
            for trigger in triggers:
                connection.exec_driver_sql(trigger)
    filling.analyze(engine)


def _keep(connection: Connection, trend: dict[str, Any]) -> None:
    """Write by a few statements what the refresh keeps: a baseline and four trends a person, and each day."""
    r, s = recordings.c, results.c
    moment = func.min(r.uploaded_at)
    who = [r.tenant, r.subject, literal(1)]
    documents = [literal(SCORES, subject_days.c.scores.type)] * 2
    of_person = select(*who, *map(literal, (10, 10.0, 99, 1)), literal("personal"), *documents, *[moment] * 3).group_by(
        *who[:2]
    )
    names = ["tenant", "subject", "model_id", "n_notes", "n_effective", "n_persons", "rule_version", "state"]
    names += ["offset_values", "own_values", "first_at", "last_at", "created_at"]
    connection.execute(insert(subject_baselines).from_select(names, of_person))
    _relate(connection)
    counts = ["n_scored", "n_uncertain", "n_no_speech", "n_failed", "n_pending"]
    levels = literal({label: {"level": -1.0, "error": 0.4} for label in LABELS}, subject_days.c.levels.type)
    values = [
        func.count(s.recording_id),
        *map(literal, (0, 0, 0, 0)),
        func.count() * 20_000,
        *documents,
        levels,
        moment,
    ]
    of_day = (
        select(*who, r.local_day, r.local_day, *values)
        .select_from(recordings.outerjoin(results, s.recording_id == r.id))
        .where(r.local_day.is_not(None))
        .group_by(r.tenant, r.subject, r.local_day)
    )
    names = ["tenant", "subject", "model_id", "day", "week", *counts, "speech_ms", "scores", "relative", "levels"]
    connection.execute(insert(subject_days).from_select([*names, "refreshed_at"], of_day))
    _judge(connection, trend)


def _relate(connection: Connection) -> None:
    r, s, b = recordings.c, results.c, subject_baselines.c
    said = [literal(SCORES, relative_results.c.scores.type), literal("sadness"), literal(0.4), literal(value=False)]
    of_note = select(s.recording_id, s.model_id, b.id, *said, s.created_at).where(
        s.recording_id == r.id, s.status == "SCORED", b.tenant == r.tenant, b.subject == r.subject
    )
    names = ["recording_id", "model_id", "baseline_id", "scores", "label", "confidence", "is_uncertain", "related_at"]
    connection.execute(insert(relative_results).from_select(names, of_note))


def _judge(connection: Connection, trend: dict[str, Any]) -> None:
    baseline, chart = trend.pop("baseline"), trend.pop("chart")
    t, b = subject_trends.c, subject_baselines.c
    for label in LABELS:
        document = [literal(trend, t.trend.type), literal(baseline, t.baseline.type), literal(chart, t.chart.type)]
        values = [literal(label), literal(trend["state"]), literal(trend["reason"]), func.date("2026-04-24"), *document]
        names = ["tenant", "subject", "model_id", "measure", "state", "reason", "as_of", "trend", "baseline", "chart"]
        of_person = select(b.tenant, b.subject, b.model_id, *values, b.created_at)
        connection.execute(insert(subject_trends).from_select([*names, "refreshed_at"], of_person))
