"""What webhooks are told of a person when what is kept of the person changes; also run on PostgreSQL in tests/integration."""

from datetime import timedelta

import numpy as np
import pytest
from db_samples import new_sqlite
from people_samples import FIRST, add_model, add_notes, draw_scores
from sqlalchemy import select

from db import outbox, webhooks
from db.people_rows import read_trends
from db.people_schema import subject_days
from db.reasons import EventKind, TrendState
from db.webhook_schema import webhook_deliveries
from people import refresh

OF_PERSON = [EventKind.DAY_UPDATED, EventKind.TREND_CHANGED]


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


def make_scores(n, seed=0, shift=(0.0, 0.0, 0.0, 0.0)):
    rng = np.random.default_rng(seed)
    return [draw_scores(rng, shift) for _ in range(n)]


def told(engine):
    """What was told until now: kind, day and measure."""
    while outbox.fan_out(engine):
        pass
    with engine.connect() as connection:
        rows = connection.execute(select(webhook_deliveries).order_by(webhook_deliveries.c.id)).all()
    return [(row.kind, row.day, (row.data or {}).get("measure")) for row in rows]


@pytest.fixture
def model(engine):
    model = add_model(engine)
    webhooks.create(engine, "default", url="https://app.example/", description="", events=OF_PERSON)
    return model


def day_rows(engine):
    """Each day's row, without when it was written."""
    with engine.connect() as connection:
        rows = connection.execute(select(subject_days)).all()
    return {row.day: {name: value for name, value in row._asdict().items() if name != "refreshed_at"} for row in rows}


def test_each_day_that_gets_other_values_is_told_once_a_refresh(engine, model):
    add_notes(engine, model, "anna", make_scores(3))
    refresh(engine, now=FIRST + timedelta(days=4))
    before = day_rows(engine)
    assert told(engine) == [("day.updated", day, None) for day in sorted(before)]
    assert len(before) == 3

    refresh(engine, now=FIRST + timedelta(days=4))
    assert len(told(engine)) == 3
    add_notes(engine, model, "anna", make_scores(1, seed=1), start=FIRST + timedelta(days=2, hours=1))
    refresh(engine, now=FIRST + timedelta(days=4))

    changed = sorted(day for day, row in day_rows(engine).items() if row != before[day])
    assert FIRST.date() + timedelta(days=2) in changed
    assert told(engine)[3:] == [("day.updated", day, None) for day in changed]


def test_a_trend_is_told_when_its_state_changes_and_not_with_each_note(engine, model):
    add_notes(engine, model, "anna", make_scores(75))
    refresh(engine, now=FIRST + timedelta(days=76))
    states = {trend.measure: trend.state for trend in read_trends(engine, "default", "anna", model_id=model.id)}
    known = {measure for measure, state in states.items() if state is not TrendState.INSUFFICIENT}
    assert known
    first = [measure for kind, _, measure in told(engine) if kind == "trend.changed"]
    assert sorted(first) == sorted(known)

    later = FIRST + timedelta(days=75)
    add_notes(engine, model, "anna", make_scores(30, seed=2, shift=(0.0, 0.0, 0.0, 4.0)), start=later)
    refresh(engine, now=later + timedelta(days=31))

    after = {trend.measure: trend.state for trend in read_trends(engine, "default", "anna", model_id=model.id)}
    changed = {measure for measure, state in after.items() if state is not states[measure]}
    assert changed
    more = [measure for kind, _, measure in told(engine) if kind == "trend.changed"][len(first) :]
    assert sorted(more) == sorted(changed)
