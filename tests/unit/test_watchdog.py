"""When a worker is stalled, and when it only has nothing to do: decided from looks and a clock that the test holds."""

import os

import pytest
from celery.concurrency import prefork, solo
from db_samples import add_jobs, new_sqlite, set_job, take
from sqlalchemy import text

from db import pump, waiting
from db.errors import DatabaseUnavailable
from db.reasons import Lane
from db.waiting import Waiting
from worker.app import list_processes
from worker.watchdog import Watchdog

LIMIT_S = 300.0
STEP_S = 30.0
IDLE = Waiting(is_working=False, n_queued=0, publish_age_s=None)


class World:
    """A ledger and a clock in the test's hands; each step is one look, as the thread would take it."""

    def __init__(self):
        self.now_s = 1_000.0
        self.rung_at_s = None
        self.is_working = False
        self.is_away = False
        self.ends_at_s = []
        self.dog = Watchdog(
            self.look, limit_s=LIMIT_S, end=lambda: self.ends_at_s.append(self.now_s), clock=lambda: self.now_s
        )

    def look(self, answer_s):
        assert answer_s == STEP_S
        if self.is_away:
            raise DatabaseUnavailable("away")
        age_s = None if self.rung_at_s is None else self.now_s - self.rung_at_s
        unanswered_s = age_s if age_s is not None and age_s >= answer_s else None
        return Waiting(is_working=self.is_working, n_queued=int(age_s is not None), publish_age_s=unanswered_s)

    def pass_time(self, seconds, *, publishes=False, hears=False):
        """Look every 30 s; the pump may publish at every second look, and messages may come."""
        for n in range(int(seconds // STEP_S)):
            self.now_s += STEP_S
            if publishes and n % 2 == 0:
                self.rung_at_s = self.now_s
            if hears:
                self.dog.hear()
            self.dog.step()


@pytest.fixture
def world():
    return World()


def test_a_worker_that_gets_no_message_for_the_limit_is_ended(world):
    world.pass_time(LIMIT_S, publishes=True)
    assert world.ends_at_s == []

    world.pass_time(2 * STEP_S, publishes=True)

    assert world.ends_at_s


def test_a_worker_without_work_may_be_idle_for_ever(world):
    world.pass_time(100 * LIMIT_S)

    assert world.ends_at_s == []


def test_after_a_long_idle_time_the_limit_begins_with_the_work(world):
    world.pass_time(10 * LIMIT_S)
    world.pass_time(LIMIT_S - STEP_S, publishes=True)

    assert world.ends_at_s == []


def test_messages_that_come_keep_a_worker_alive_whatever_waits(world):
    world.pass_time(10 * LIMIT_S, publishes=True, hears=True)

    assert world.ends_at_s == []


def test_a_lease_that_its_processes_hold_keeps_a_worker_alive_through_a_four_hour_note(world):
    world.is_working = True
    world.pass_time(4 * 3600, publishes=True)

    assert world.ends_at_s == []


def test_a_worker_that_stalls_after_work_is_ended_a_limit_later(world):
    world.pass_time(LIMIT_S, publishes=True, hears=True)
    heard_until_s = world.now_s
    world.pass_time(2 * LIMIT_S, publishes=True)

    assert heard_until_s + LIMIT_S <= world.ends_at_s[0] <= heard_until_s + LIMIT_S + 2 * STEP_S


def test_where_nobody_rings_again_a_lost_message_is_no_fault_of_the_worker(world):
    world.rung_at_s = world.now_s + 1
    world.pass_time(100 * LIMIT_S)

    assert world.ends_at_s == []


def test_a_message_that_was_published_a_moment_ago_may_still_be_answered(world):
    world.rung_at_s = world.now_s + 1
    world.pass_time(5 * LIMIT_S)
    world.rung_at_s = world.now_s + STEP_S - 1
    world.pass_time(STEP_S)

    assert world.ends_at_s == []


def test_while_the_database_is_away_nobody_is_blamed_and_the_wait_begins_afresh(world):
    world.pass_time(LIMIT_S, publishes=True)
    world.is_away = True
    world.pass_time(10 * LIMIT_S, publishes=True)
    world.is_away = False
    world.pass_time(LIMIT_S - STEP_S, publishes=True)

    assert world.ends_at_s == []


class TestLook:
    """The same question to a real ledger; tests/integration asks PostgreSQL."""

    @pytest.fixture
    def engine(self, tmp_path):
        return new_sqlite(tmp_path)

    def test_an_empty_ledger_has_nothing_to_say(self, engine):
        assert waiting.look(engine, lanes=list(Lane), workers=["test"], answer_s=0.0) == IDLE

    def test_what_is_rung_in_its_lanes_counts_and_what_is_pending_or_elsewhere_does_not(self, engine):
        add_jobs(engine, 2, lane=Lane.NIGHTLY)
        pump.due_jobs(engine, cap_outstanding=100, limit=100)
        add_jobs(engine, 3, lane=Lane.BULK)

        nightly = waiting.look(engine, lanes=[Lane.NIGHTLY], workers=[], answer_s=0.0)
        bulk = waiting.look(engine, lanes=[Lane.BULK], workers=[], answer_s=0.0)

        assert (nightly.n_queued, bulk.n_queued) == (2, 0)
        assert 0 <= nightly.publish_age_s < 60
        assert bulk.publish_age_s is None

    def test_the_newest_message_that_had_time_to_be_answered_is_told(self, engine):
        old, new, _ = add_jobs(engine, 3)
        pump.due_jobs(engine, cap_outstanding=100, limit=100)
        shift(engine, old, -5_000)
        shift(engine, new, -1_000)

        seen = waiting.look(engine, lanes=[Lane.NIGHTLY], workers=[], answer_s=500.0)

        assert seen.n_queued == 3
        assert 1_000 <= seen.publish_age_s < 1_100

    def test_a_lease_counts_only_for_its_own_worker_and_only_until_it_runs_out(self, engine):
        first, second = add_jobs(engine, 2)
        take(engine, first)
        assert not waiting.look(engine, lanes=list(Lane), workers=["other"], answer_s=0.0).is_working
        assert waiting.look(engine, lanes=list(Lane), workers=["test"], answer_s=0.0).is_working

        set_job(engine, first, worker="other")
        take(engine, second, lease_s=-1.0)

        assert not waiting.look(engine, lanes=list(Lane), workers=["test"], answer_s=0.0).is_working


def test_a_worker_whose_pool_was_stopped_is_watched_on():
    assert list_processes(prefork.TaskPool(1)) == []
    assert list_processes(solo.TaskPool(1)) == [os.getpid()]


def shift(engine, job_id, seconds):
    """Let a job have been published at another time."""
    with engine.begin() as connection:
        move = text("UPDATE jobs SET queued_at_s = queued_at_s + :by WHERE id = :id")
        connection.execute(move, {"by": seconds, "id": job_id})
