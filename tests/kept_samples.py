"""What is kept of a person, as rows of a test's own choice; asserts nothing."""

from datetime import date, timedelta

from sqlalchemy import Engine, insert

from db.columns import db_now
from db.people_schema import relative_results, subject_baselines, subject_days, subject_trends

MONDAY = date(2026, 11, 2)
SCORES = {"anger": 0.125, "happiness": 0.25, "neutral": 0.25, "sadness": 0.375}
LEVELS = {name: {"level": -1.0, "error": 0.5} for name in SCORES}


def keep_day(engine: Engine, subject: str, day: date = MONDAY, *, tenant: str = "default", **others) -> None:
    """A day of a person with three scored notes, of which one is uncertain, unless it is said otherwise."""
    counts = {"n_scored": 3, "n_uncertain": 1, "n_no_speech": 0, "n_failed": 0, "n_pending": 0, "speech_ms": 60_000}
    said = {"scores": SCORES, "relative": None, "levels": LEVELS, "arousal": 0.5, "valence": -0.25}
    key = {"tenant": tenant, "subject": subject, "model_id": 1, "day": day, "week": day - timedelta(day.weekday())}
    with engine.begin() as connection:
        connection.execute(insert(subject_days).values(**{**key, **counts, **said, "refreshed_at": db_now(), **others}))


def keep_trend(engine: Engine, subject: str, *, tenant: str = "default", **others) -> None:
    """A person's sadness, shifted up eleven days ago, unless it is said otherwise."""
    recent = {"difference": 0.5, "low": 0.25, "high": 0.75, "effect_size": 1.5, "level": 0.5}
    said = {"measure": "sadness", "state": "shifted_up", "reason": "beyond_limit", "since": MONDAY - timedelta(11)}
    kept = {"baseline": {"mean": 0.0}, "trend": {"recent": recent, "slope": None}, "chart": []}
    key = {"tenant": tenant, "subject": subject, "model_id": 1, "as_of": MONDAY, "refreshed_at": db_now()}
    with engine.begin() as connection:
        connection.execute(insert(subject_trends).values(**{**key, **said, **kept, **others}))


def keep_relative(
    engine: Engine, recording_id: int, *, subject: str, tenant: str = "default", n_notes: int = 10
) -> None:
    """A note's relative scores by a baseline of so many notes; without scores where they are under ten."""
    is_personal = n_notes >= 10
    known = {"offset_values": {}, "own_values": {}, "n_effective": n_notes, "n_persons": 0, "rule_version": 1}
    times = dict.fromkeys(("first_at", "last_at", "created_at"), db_now())
    state = {"state": "personal" if is_personal else "insufficient", "n_notes": n_notes}
    said = {"scores": SCORES, "label": "sadness", "confidence": 0.375, "is_uncertain": True} if is_personal else {}
    with engine.begin() as connection:
        person = {"tenant": tenant, "subject": subject, "model_id": 1}
        made = insert(subject_baselines).values(**person, **known, **times, **state)
        baseline_id = connection.execute(made.returning(subject_baselines.c.id)).scalar_one()
        row = {"recording_id": recording_id, "model_id": 1, "baseline_id": baseline_id, "related_at": db_now(), **said}
        connection.execute(insert(relative_results).values(row))
