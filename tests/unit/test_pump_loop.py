"""When the scheduler publishes between its ticks: decided from counts and a clock that the test holds."""

import threading

import pytest
from db_samples import a_result, add_active_model, add_jobs, new_sqlite, take

from config.settings import Settings
from db import history, ledger
from db.pump import Outstanding
from db.reasons import JobState
from scheduler.app import make_app
from scheduler.publish import PublishResult
from scheduler.pumping import LONGEST_WAIT_S, REFUSED_WAIT_S, PumpLoop
from scheduler.service import Service

CAP = 1_000


class World:
    """A queue that workers empty at a steady rate, and a ledger with so many jobs behind it."""

    def __init__(self, *, n_due, per_s, cap=CAP):
        self.n_due, self.per_s, self.cap = n_due, per_s, cap
        self.now_s, self.n_queued, self.n_done, self.n_published = 0.0, 0, 0.0, 0
        self.is_broker_there = True
        self.dry_s = 0.0
        self.has_work = threading.Event()
        self.loop = PumpLoop(self.look, self.publish, queue_cap=cap, has_work=self.has_work, clock=lambda: self.now_s)

    def look(self):
        assert self.n_queued <= self.cap
        return Outstanding(n_queued=int(self.n_queued), n_running=2 if self.n_queued else 0)

    def publish(self):
        room = min(self.n_due, int(self.cap - self.n_queued))
        if room and not self.is_broker_there:
            return PublishResult(n_due=room, n_sent=0)
        self.n_due -= room
        self.n_queued += room
        self.n_published += 1
        if room:
            self.has_work.set()
        return PublishResult(n_due=room, n_sent=room)

    def run(self, seconds):
        """Let the loop go on; gives how many looks there were."""
        end_s, n_looks = self.now_s + seconds, 0
        while self.now_s < end_s and self.has_work.is_set():
            wait_s = self.loop.step()
            n_looks += 1
            taken = min(self.n_queued, self.per_s * wait_s)
            self.dry_s += 0.0 if self.n_due == 0 else wait_s - taken / self.per_s
            self.n_queued -= taken
            self.n_done += taken
            self.now_s += wait_s
        return n_looks


@pytest.mark.parametrize("per_s", [0.5, 20, 67, 500, 3_000])
def test_workers_get_jobs_as_fast_as_they_take_them_and_the_loop_looks_seldom(per_s):
    world = World(n_due=10**9, per_s=per_s)
    world.has_work.set()

    n_looks = world.run(120)

    assert world.dry_s < 1e-6
    assert world.n_done == pytest.approx(per_s * world.now_s, rel=1e-6)
    assert n_looks <= 120 / LONGEST_WAIT_S + 4 * world.n_published
    assert world.n_published <= 2 + per_s * world.now_s / (CAP / 8)


def test_without_work_the_loop_sleeps_until_somebody_finds_some():
    world = World(n_due=300, per_s=100)
    world.has_work.set()
    world.run(60)
    assert (world.n_due, int(world.n_queued), world.has_work.is_set()) == (0, 0, False)

    world.n_due = 300
    world.publish()  # as a tick does
    world.run(60)

    assert world.n_done == pytest.approx(600, abs=1)


def test_a_broker_that_takes_nothing_is_asked_again_after_a_while_and_not_at_once():
    world = World(n_due=300, per_s=100)
    world.has_work.set()
    world.is_broker_there = False

    assert world.run(60) <= 60 / REFUSED_WAIT_S + 1
    world.is_broker_there = True
    world.run(60)

    assert world.n_done == pytest.approx(300, abs=1)


def test_a_small_cap_is_filled_up_job_by_job():
    world = World(n_due=10, per_s=2, cap=2)
    world.has_work.set()

    world.run(60)

    assert world.n_done == pytest.approx(10, abs=1)
    assert world.now_s < 10 / 2 + 11 * LONGEST_WAIT_S


def test_the_loop_of_a_scheduler_publishes_what_has_room_once_a_tick_has_found_work(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    ids = add_jobs(engine, 9)
    settings = Settings.read(home=tmp_path / "home", database_url=str(engine.url), queue_cap=4)
    service = Service(settings, make_app(settings))
    loop = service.make_pump_loop()

    n_first = service.publish().n_sent
    for job_id in ids[:4]:
        ledger.finish(engine, take(engine, job_id), a_result())
    loop.step()

    assert n_first == 4
    assert history.counts(engine).by_state == {JobState.DONE: 4, JobState.QUEUED: 4, JobState.PENDING: 1}
