"""Slots: none is skipped, none is doubled, whoever was down."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from db import migrate, slots
from db.engine import make_engine
from scheduler.nightly import NIGHTLY, NightResult, due_slots, run_due_night

LINE = "0 2 * * *"
MORNING = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'slots.db'}")
    migrate.upgrade(engine)
    return engine


class Night:
    """Counts its runs."""

    def __init__(self):
        self.n_runs = 0

    def __call__(self):
        self.n_runs += 1
        return NightResult(n_listed=5, n_new=3, n_jobs=3)


def run(engine, night, now, lease_s=60.0, **options):
    return run_due_night(engine, night, crontab_line=LINE, now=now, lease_s=lease_s, **options)


def start_at(engine, now):
    """Let a scheduler start for the first time at `now`, which makes nothing due."""
    slots.pulse(engine, "scheduler first start")
    slots.claim_slot(engine, NIGHTLY, slot=now, lease_s=60.0)
    slots.finish_slot(engine, NIGHTLY, slot=now, n_registered=0, n_jobs=0)


@pytest.mark.parametrize(
    ("line", "hours", "n_slots"),
    [(LINE, 24, 1), (LINE, 16, 0), (LINE, 17, 1), (LINE, 72, 3), ("*/15 * * * *", 1, 4), ("0 2 * * 1", 24 * 14, 2)],
)
def test_every_slot_between_two_moments_is_due_once(line, hours, n_slots):
    found = due_slots(line, since=MORNING, now=MORNING + timedelta(hours=hours))

    assert len(found) == len(set(found)) == n_slots
    assert found == sorted(found)


def test_a_scheduler_that_was_away_for_years_still_finds_the_newest_slot_quickly():
    found = due_slots("* * * * *", since=datetime(2020, 1, 1, tzinfo=UTC), now=MORNING)

    assert found[-1] == MORNING
    assert len(found) == 100


def test_the_first_start_of_a_scheduler_makes_no_past_night_due(engine):
    night = Night()

    assert run(engine, night, datetime.now(UTC)) is None
    assert night.n_runs == 0


def test_a_night_runs_once_however_often_the_sweep_asks(engine):
    start_at(engine, MORNING)
    night = Night()

    outcomes = [run(engine, night, MORNING + timedelta(hours=18)) for _ in range(5)]

    assert night.n_runs == 1
    assert [outcome is not None for outcome in outcomes] == [True, False, False, False, False]


def test_nights_missed_while_no_scheduler_ran_are_caught_up_by_one_run_and_noted(engine):
    start_at(engine, MORNING)
    night = Night()

    run(engine, night, MORNING + timedelta(days=3))
    run(engine, night, MORNING + timedelta(days=3, minutes=1))

    assert night.n_runs == 1
    last = slots.last_slot(engine, NIGHTLY)
    assert last.slot == datetime(2026, 3, 4, 2, tzinfo=UTC)
    assert (last.n_registered, last.n_jobs) == (3, 3)
    missed = datetime(2026, 3, 3, 2, tzinfo=UTC)
    assert not slots.claim_slot(engine, NIGHTLY, slot=missed, lease_s=60.0)


def test_a_night_whose_scheduler_died_is_run_again_once_its_lease_is_over(engine):
    start_at(engine, MORNING)
    evening = MORNING + timedelta(hours=18)

    def die():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(engine, die, evening, lease_s=0.05)
    night = Night()
    slots_free = False
    for _ in range(100):
        slots_free = run(engine, night, evening) is not None
        if slots_free:
            break

    assert slots_free
    assert night.n_runs == 1


def test_two_schedulers_share_one_night(engine):
    start_at(engine, MORNING)
    evening = MORNING + timedelta(hours=18)
    inner = Night()
    seen_by_second = []

    def first():
        seen_by_second.append(run(engine, inner, evening))
        return NightResult(n_listed=1, n_new=1, n_jobs=1)

    assert run(engine, first, evening) is not None
    assert seen_by_second == [None]
    assert inner.n_runs == 0


def test_a_slot_that_comes_up_while_an_older_one_runs_waits_for_its_end(engine):
    start_at(engine, MORNING)
    evening, next_evening = MORNING + timedelta(hours=18), MORNING + timedelta(hours=42)
    night, during = Night(), []

    def long_night():
        during.append(run(engine, night, next_evening))
        return NightResult(n_listed=1, n_new=1, n_jobs=1)

    run(engine, long_night, evening)

    assert during == [None]
    assert run(engine, night, next_evening) is not None
    assert night.n_runs == 1


def test_a_night_that_is_done_is_told_in_one_line_with_its_counts(engine, caplog):
    caplog.set_level("INFO")
    start_at(engine, MORNING)

    run(engine, Night(), MORNING + timedelta(hours=18))

    (line,) = [record for record in caplog.records if record.getMessage() == "nightly run done"]
    assert (line.n_listed, line.n_new, line.n_jobs, line.n_corrected) == (5, 3, 3, 0)
    assert line.slot == "2026-03-02T02:00:00+00:00"
    assert line.wall_ms >= 0


def test_a_night_that_failed_is_told_by_the_type_of_its_error(engine, caplog):
    start_at(engine, MORNING)

    def fail():
        raise OSError("/home/anna cannot be read")

    with pytest.raises(OSError, match="anna"):
        run(engine, fail, MORNING + timedelta(hours=18))

    (line,) = [record for record in caplog.records if record.getMessage() == "nightly run failed"]
    assert line.error == "OSError"
    assert "anna" not in f"{vars(line)}"


def test_a_scan_that_failed_is_due_again_long_before_its_lease_would_end(engine):
    start_at(engine, MORNING)
    evening = MORNING + timedelta(hours=18)
    night = Night()

    def fail():
        raise OSError("the store is down")

    with pytest.raises(OSError, match="store is down"):
        run(engine, fail, evening, lease_s=900.0, retry_s=0.2)

    assert run(engine, night, evening) is None
    time.sleep(0.3)
    assert run(engine, night, evening) is not None
    assert night.n_runs == 1
