"""What the refresh keeps of a person, written by hand as it writes it: baseline, relative scores, days and trends."""

from datetime import date, timedelta

import numpy as np
from db_samples import MONDAY, scores
from sqlalchemy import delete, insert

from db.people_schema import (
    baseline_notes,
    relative_results,
    subject_baselines,
    subject_days,
    subject_marks,
    subject_trends,
)
from trends import Day, judge_person

FIRST_DAY = date(2026, 1, 5)
USUAL = scores(0.3, 0.2, 0.3, 0.2)


def judge(seed=0, *, n_days=110, shift=2.5):
    """A person's trend: 80 usual days, then shifted ones."""
    rng = np.random.default_rng(seed)
    days = [
        Day(
            day=FIRST_DAY + timedelta(days=n),
            model="whisper3-1.0",
            level=float(rng.normal(-1.4, 0.5) + (shift if n >= 80 else 0.0)),
            error=0.4,
            n_scored=2,
            speech_s=40.0,
        )
        for n in range(n_days)
    ]
    return judge_person(days, model="whisper3-1.0", as_of=days[-1].day)


def keep_person(engine, subject, *, tenant="default", personal=(), insufficient=(), days=(), model_id=1):
    """Keep rows of a person, and delete who is marked.

    `personal` are notes with relative scores, `insufficient` such as came too early for it.
    """
    who = {"tenant": tenant, "subject": subject, "model_id": model_id}
    baseline = {**who, "n_notes": 10, "n_effective": 10.0, "n_persons": 3, "rule_version": 1, "state": "personal"}
    baseline |= {"offset_values": USUAL, "own_values": USUAL}
    baseline |= {"first_at": MONDAY, "last_at": MONDAY, "created_at": MONDAY}
    about = {"model_id": model_id, "related_at": MONDAY}
    said = {"scores": USUAL, "label": "anger", "confidence": 0.3, "is_uncertain": True}
    with engine.begin() as connection:
        made = insert(subject_baselines).returning(subject_baselines.c.id)
        baseline_id = connection.execute(made, baseline).scalar_one()
        for note_id in personal:
            connection.execute(insert(baseline_notes), {"baseline_id": baseline_id, "recording_id": note_id})
            row = {"recording_id": note_id, "baseline_id": baseline_id, **about, **said}
            connection.execute(insert(relative_results), row)
        for note_id in insufficient:
            connection.execute(insert(relative_results), {"recording_id": note_id, **about})
        for day, n_scored in days:
            connection.execute(insert(subject_days), {**who, **_a_day(day, n_scored)})
        connection.execute(insert(subject_trends), [{**who, **row} for row in _trends()])
        connection.execute(delete(subject_marks))


def _a_day(day, n_scored):
    known = {"scores": scores(), "relative": USUAL, "levels": {"sadness": {"level": -0.4, "error": 0.5}}}
    counts = {"n_scored": n_scored, "n_uncertain": 0, "n_no_speech": 1, "n_failed": 0, "n_pending": 2}
    return {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        **counts,
        "speech_ms": 9_000 * n_scored,
        **(known if n_scored else dict.fromkeys(known)),
        "arousal": 0.5 if n_scored else None,
        "valence": None,
        "refreshed_at": MONDAY,
    }


def _trends():
    found = {"sadness": judge(), "anger": judge(n_days=20)}
    for measure, trend in found.items():
        document = trend.as_dict()
        yield {
            "measure": measure,
            "state": trend.state.value,
            "reason": trend.reason.value,
            "as_of": trend.as_of,
            "since": None if trend.shift is None else trend.shift.since,
            "baseline": document.pop("baseline"),
            "chart": document.pop("chart"),
            "trend": document,
            "refreshed_at": MONDAY,
        }
