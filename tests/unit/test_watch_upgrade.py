"""The upgrade that lets webhooks tell of nights and alerts keeps what waits to be sent, and every trigger."""

import pytest
from db_samples import upgrade_to
from sqlalchemy import text

from db import migrate
from db.engine import make_engine
from db.errors import ConstraintViolated

TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL ORDER BY name"
NOW = "'2026-03-02 02:00:00.000000'"


@pytest.fixture
def engine(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'old.db'}")
    upgrade_to(engine, "0016")
    delivery = "id, endpoint_id, tenant, message_id, kind, at, created_at, state, n_attempts, next_at_s"
    rows = {
        "webhook_endpoints": f"(1, 'default', 'https://x/', '', '[]', {NOW}, NULL, NULL, NULL)",
        "webhook_events": f"(5, 'default', 'day.updated', 7, '2026-03-02', NULL, {NOW})",
        f"webhook_deliveries ({delivery})": (
            f"(3, 1, 'default', 'msg_1', 'note.scored', {NOW}, {NOW}, 'PENDING', 2, 1.5)"
        ),
    }
    with engine.begin() as connection:
        for place, values in rows.items():
            connection.execute(text(f"INSERT INTO {place} VALUES {values}"))
    return engine


def ask(engine, statement):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def test_rows_triggers_and_indexes_are_as_before(engine):
    tables = ("webhook_endpoints", "webhook_events", "webhook_deliveries")
    before = [ask(engine, f"SELECT * FROM {table}") for table in tables]
    made = ask(engine, TRIGGERS)

    upgrade_to(engine, "0020")  # a later one makes some triggers anew

    assert [ask(engine, f"SELECT * FROM {table}") for table in tables] == before
    assert made
    assert set(made) <= set(ask(engine, TRIGGERS))
    assert ask(engine, "PRAGMA foreign_key_check") == []
    assert ask(engine, "SELECT name FROM sqlite_master WHERE name LIKE 'old!_%' ESCAPE '!'") == []


def test_only_the_new_kinds_are_allowed_besides_the_old_ones(engine):
    migrate.upgrade(engine)
    insert = f"INSERT INTO webhook_events (tenant, kind, at) VALUES ('default', '{{}}', {NOW})"

    with engine.begin() as connection:
        for kind in ("night.finished", "alert.opened", "alert.closed", "note.scored"):
            connection.execute(text(insert.format(kind)))
    with pytest.raises(ConstraintViolated), engine.begin() as connection:
        connection.execute(text(insert.format("alert.invented")))


def test_the_endpoint_of_a_delivery_still_takes_it_along(engine):
    migrate.upgrade(engine)

    with engine.begin() as connection:
        connection.execute(text("DELETE FROM webhook_endpoints"))

    assert ask(engine, "SELECT id FROM webhook_deliveries") == []
