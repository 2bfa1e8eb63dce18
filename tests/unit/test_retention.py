"""Retention by the scheduler: what was registered long ago goes, once a day, and nobody's clock but the database's counts."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from db_samples import add_active_model, new_sqlite
from sqlalchemy import text

from config.settings import Settings
from db import recordings, removals, slots
from db.engine import make_engine
from scheduler.app import make_app
from scheduler.retention import RETENTION, run_due_retention
from scheduler.scan import Naming, scan
from scheduler.service import Service
from storage.errors import StorageUnavailable
from storage.local import LocalStore
from tonalog.commands.erase import retention_command
from tonalog.commands.status import status_command

NOW = datetime(2026, 11, 24, 14, tzinfo=UTC)
OLD_KEY, NEW_KEY = "ana/2026-11-23.ogg", "ben/1970-01-01.ogg"  # the clock of ben's recorder is wrong


@pytest.fixture
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    new_sqlite(home)
    monkeypatch.setenv("TONALOG_HOME", str(home))
    return home


@pytest.fixture
def store(tmp_path):
    (tmp_path / "notes").mkdir()
    store = LocalStore(tmp_path / "notes")
    for key in (OLD_KEY, NEW_KEY):
        store.put(key, key.encode())
    return store


@pytest.fixture
def engine(home, store):
    """Two recordings, one registered 31 days ago and one an hour ago."""
    engine = make_engine(f"sqlite:///{home / 'tonalog.db'}")
    add_active_model(engine)
    scan(engine, store, prefix="", naming=Naming("{subject}/{recorded_at}...", "UTC"))
    age(engine, OLD_KEY, NOW - timedelta(days=31))
    age(engine, NEW_KEY, NOW - timedelta(hours=1))
    return engine


def age(engine, key, registered_at):
    moment = registered_at.strftime("%Y-%m-%d %H:%M:%S.%f")
    with engine.begin() as connection:
        statement = text("UPDATE recordings SET registered_at = :moment WHERE key = :key")
        connection.execute(statement, {"moment": moment, "key": key})


def run(engine, store, *, now=NOW, n_days=30):
    return run_due_retention(engine, lambda *_: store, n_days=n_days, now=now, lease_s=60.0)


def days_until_old():
    """The age that the older recording has reached today, and the younger has not."""
    return (datetime.now(UTC) - NOW).days + 30


def keys_of(store):
    return [item.key for page in store.list_objects() for item in page]


def test_what_was_registered_too_long_ago_goes_whatever_its_recorder_says(engine, store):
    assert run(engine, store).n_gone == 1

    assert keys_of(store) == [NEW_KEY]
    assert recordings.find(engine, OLD_KEY) == []


def test_it_runs_once_a_day_and_again_the_next(engine, store):
    assert run(engine, store) is not None
    assert run(engine, store, now=NOW + timedelta(hours=9)) is None
    assert run(engine, store, now=NOW + timedelta(days=30)).n_gone == 1

    assert keys_of(store) == []


def test_a_day_that_another_scheduler_works_on_is_left_to_it_until_its_lease_ends(engine, store):
    day = NOW.replace(hour=0)
    slots.claim_slot(engine, RETENTION, slot=day, lease_s=60.0)
    assert run(engine, store) is None

    with engine.begin() as connection:
        connection.execute(text("UPDATE schedule_slots SET lease_until_s = 0"))
    assert run(engine, store).n_gone == 1


def test_what_a_store_would_not_give_up_is_tried_again_the_next_day(engine, store, tmp_path):
    class Away(LocalStore):
        def erase(self, key):
            assert key == OLD_KEY
            raise StorageUnavailable("away")

    first = run(engine, Away(tmp_path / "notes"))
    second = run(engine, store, now=NOW + timedelta(days=1))

    assert first.n_left == 1
    assert "away" in first.problem
    assert (second.n_gone, second.n_left) == (1, 0)
    assert removals.unfinished(engine) == []
    assert keys_of(store) == [NEW_KEY]


def test_a_scheduler_erases_nothing_unless_it_was_told_how_old(engine, store, home):
    def retain(**settings):
        read = Settings.read(home=home, **settings)
        Service(read, make_app(read)).retention()

    retain()
    assert len(keys_of(store)) == 2
    retain(retention_days=days_until_old())
    assert keys_of(store) == [NEW_KEY]


def test_an_operator_sees_before_what_will_go(engine, store, monkeypatch):
    monkeypatch.setenv("TONALOG_RETENTION_DAYS", str(days_until_old()))

    shown = json.loads(CliRunner().invoke(status_command, ["--json"]).output)["retention"]
    listed = CliRunner().invoke(retention_command, []).output

    assert (shown["n_due"], shown["last_day"]) == (1, None)
    assert "1 recordings are due" in CliRunner().invoke(status_command, []).output
    assert "To erase: 1 recordings" in listed
    assert "Nothing was changed" in listed
    assert len(keys_of(store)) == 2


def test_an_age_is_asked_for_where_none_is_set(home):
    refused = CliRunner().invoke(retention_command, [])

    assert refused.exit_code == 2
    assert "set TONALOG_RETENTION_DAYS" in refused.output
