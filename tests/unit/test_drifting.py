"""The nightly measure of drift: which days it takes, and that a night survives it."""

import logging
from datetime import UTC, date, datetime, timedelta

import pytest
from compare_samples import add_versions
from db_samples import add_active_model, new_sqlite
from filling import fill
from sqlalchemy import text

from config.settings import Settings
from db import slots
from db.drift import read_drift
from db.drift_counts import Days
from db.engine import make_engine, without_transaction
from db.errors import DatabaseUnavailable
from db.reasons import DriftState, SlotState
from scheduler.app import make_app
from scheduler.drifting import choose_days, measure_night
from scheduler.nightly import NIGHTLY
from scheduler.service import Service

NIGHT = date(2026, 11, 20)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Sixty people with a note a day from August on, all with the same scores; tests only read it."""
    engine = new_sqlite(tmp_path_factory.mktemp("drift"))
    fill(engine, n_notes=6_000, n_people=60)
    return engine


@pytest.fixture
def moved(filled, tmp_path):
    """The same with everybody angry since the days that the night judges."""
    file = tmp_path / "moved.db"
    with without_transaction(filled) as connection:
        connection.exec_driver_sql(f"VACUUM INTO '{file}'")
    engine = make_engine(file)
    with engine.begin() as connection:
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'results'"
        for name in connection.scalars(text(triggers)).all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(
            "UPDATE results SET anger = 0.7, happiness = 0.1, neutral = 0.1, sadness = 0.1, label = 'anger' "
            "WHERE status = 'SCORED' AND recording_id IN (SELECT id FROM recordings WHERE local_day >= '2026-11-12')"
        )
    return engine


def test_a_period_that_stays_ends_before_the_days_that_are_judged():
    recent, reference = choose_days(NIGHT, Days(since=date(2026, 6, 1), until=date(2026, 12, 31)))

    assert (recent.since, recent.until) == (date(2026, 11, 12), date(2026, 11, 18))
    assert (reference.since, reference.until) == (date(2026, 6, 1), date(2026, 11, 11))


def test_a_night_without_notes_keeps_no_row(tmp_path):
    engine = new_sqlite(tmp_path)
    add_versions(engine)

    assert measure_night(engine, NIGHT) == []
    assert read_drift(engine) == []


def test_notes_that_stay_the_same_are_stable_and_the_row_says_of_which_days(filled):
    (row,) = measure_night(filled, NIGHT)

    (kept,) = read_drift(filled)
    assert (kept.state, kept.night, kept.model) == (DriftState.STABLE, NIGHT, "bench-1.0")
    assert kept.n_recent == row.n_recent > 400
    assert kept.n_reference > 7 * kept.n_recent
    assert kept.largest.divergence < 0.001
    assert kept.recent_until == NIGHT - timedelta(days=2)


def test_what_has_moved_is_told_in_the_row_and_in_the_log(moved, caplog):
    with caplog.at_level(logging.INFO, logger="scheduler.drifting"):
        (row,) = measure_night(moved, NIGHT)

    assert row.state is DriftState.MOVED
    assert {measure.name for measure in row.measures if measure.has_moved} >= {"labels", "anger", "sadness"}
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert row.measures[0].divergence > 0.5


def test_a_nightly_run_measures_after_its_scan(tmp_path, monkeypatch):
    service = make_service(tmp_path, monkeypatch)
    measured = []
    monkeypatch.setattr("scheduler.service.measure_night", lambda *given, **named: measured.append((given, named)))
    monkeypatch.setenv("TONALOG_DRIFT_REFERENCE", "2026-06-01/2026-06-30")

    service.nightly()
    assert measured == [], "the first start makes nothing due"
    pretend_a_day_has_passed(service)
    make_service(tmp_path, monkeypatch).nightly()

    (((_, night), named),) = measured
    assert night == datetime.now(UTC).date()
    assert named["reference"] == Days(since=date(2026, 6, 1), until=date(2026, 6, 30))


def test_a_night_whose_drift_cannot_be_measured_is_finished_all_the_same(tmp_path, monkeypatch, caplog):
    def fail(*_given, **_named):
        raise DatabaseUnavailable("gone for a moment")

    service = make_service(tmp_path, monkeypatch)
    service.nightly()
    pretend_a_day_has_passed(service)
    monkeypatch.setattr("scheduler.service.measure_night", fail)

    service.nightly()

    last = slots.last_slot(service._engine, NIGHTLY)
    assert (last.state, last.n_registered) == (SlotState.DONE, 0)
    assert "drift not measured" in caplog.text


def make_service(home, monkeypatch):
    (home / "notes").mkdir(exist_ok=True)
    monkeypatch.setenv("TONALOG_HOME", str(home))
    monkeypatch.setenv("TONALOG_STORAGE_URL", str(home / "notes"))
    if not (home / "tonalog.db").exists():
        add_active_model(new_sqlite(home))
    settings = Settings.read()
    return Service(settings, make_app(settings))


def pretend_a_day_has_passed(service):
    with service._engine.begin() as connection:
        connection.execute(text("UPDATE pulses SET at_s = at_s - 90000"))
