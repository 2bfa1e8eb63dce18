"""The scheduler's pump: what the ledger says is due is published, and a broker that is down loses nothing."""

import tempfile
from collections import Counter
from contextlib import contextmanager

import pytest
from db_samples import add_active_model, add_jobs, count, days_later, new_sqlite, scores
from filling import fill
from kombu.exceptions import OperationalError
from people_samples import add_model, add_notes
from sqlalchemy import insert, select, text, update

from config.queues import SCORE_TASK, lane_queue
from config.settings import Settings
from db import history
from db.api_schema import changes as changes_table
from db.columns import db_now
from db.reasons import JobState
from db.slots import read_pulses
from scheduler.app import make_app
from scheduler.broker import count_waiting
from scheduler.publish import publish_due
from scheduler.service import SchedulerError, Service
from worker.app import make_app as make_worker_app


class Publisher:
    """A Celery client that keeps what was sent, and refuses after `n_good` messages."""

    def __init__(self, n_good=1000):
        self.sent = []
        self.n_good = n_good

    @contextmanager
    def producer_or_acquire(self):
        yield self

    @contextmanager
    def batch(self):
        self.page = []
        yield
        if len(self.sent) + len(self.page) > self.n_good:
            raise OperationalError("broker is down")
        self.sent += self.page

    def send_task(self, name, *, args, queue, producer):
        assert producer is self
        self.page.append((name, args, queue))


@pytest.fixture(autouse=True)
def _bells_can_be_counted(monkeypatch):
    def count(publisher, queues):
        return (
            Counter(queue for _, _, queue in publisher.sent)
            if isinstance(publisher, Publisher)
            else count_waiting(publisher, queues)
        )

    monkeypatch.setattr("scheduler.publish.count_waiting", count)


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    add_jobs(engine, 5)
    return engine


def test_due_jobs_are_sent_once_as_a_name_and_one_integer(engine):
    publisher = Publisher()

    first = publish_due(engine, publisher, queue_cap=100)
    second = publish_due(engine, publisher, queue_cap=100)

    assert (first.n_sent, second.n_sent) == (5, 0)
    assert {(name, queue) for name, _, queue in publisher.sent} == {(SCORE_TASK, lane_queue("nightly"))}
    assert all(len(args) == 1 and isinstance(args[0], int) for _, args, _ in publisher.sent)


def test_the_queue_never_holds_more_than_its_cap(engine):
    publisher = Publisher()

    publish_due(engine, publisher, queue_cap=3)
    publish_due(engine, publisher, queue_cap=3)

    assert len(publisher.sent) == 3


def test_rings_that_nobody_answers_never_fill_the_queue_beyond_its_cap(engine):
    publisher = Publisher()

    for _ in range(5):
        publish_due(engine, publisher, queue_cap=3, redeliver_s=0.0)

    assert len(publisher.sent) == 3
    assert history.counts(engine).by_state[JobState.QUEUED] == 3


def test_what_waits_in_the_file_queue_is_counted_and_a_queue_that_is_not_there_holds_nothing(engine, tmp_path):
    app = make_app(Settings.read(home=tmp_path / "home"))
    nightly, bulk = lane_queue("nightly"), lane_queue("bulk")

    for _ in range(3):
        publish_due(engine, app, queue_cap=4, redeliver_s=0.0)

    assert count_waiting(app, [nightly, bulk]) == {nightly: 4, bulk: 0}


def test_jobs_that_the_broker_refused_wait_and_are_sent_when_it_is_back(engine, monkeypatch):
    monkeypatch.setattr("scheduler.publish.PAGE", 2)
    down = publish_due(engine, Publisher(n_good=3), queue_cap=100)
    counted = history.counts(engine).by_state
    back = Publisher()
    publish_due(engine, back, queue_cap=100)

    assert down.n_sent == 2
    assert (counted[JobState.QUEUED], counted[JobState.PENDING]) == (2, 3)
    assert len(back.sent) == 3


def test_a_schedulers_tick_leaves_a_pulse_and_a_person_who_publishes_does_not(engine):
    service = Service(Settings(database_url=str(engine.url)), Publisher())

    service.publish()
    by_hand = read_pulses(engine)
    service.tick()

    assert "sweep" not in by_hand
    assert read_pulses(engine)["sweep"].age_s < 60


def test_a_schedulers_tick_forgets_what_the_api_keeps_no_longer(engine):
    n_before = count(engine, "changes")
    with engine.begin() as connection:
        connection.execute(update(changes_table).where(changes_table.c.id == 1).values(at=days_later(-9_000)))

    Service(Settings(database_url=str(engine.url)), Publisher()).tick()

    with engine.connect() as connection:
        assert 1 not in connection.scalars(select(changes_table.c.id)).all()
    assert count(engine, "changes") == n_before - 1 > 0


def test_a_schedulers_tick_makes_days_of_people_whose_notes_changed(tmp_path):
    engine = new_sqlite(tmp_path)
    add_notes(engine, add_model(engine), "anna", [scores()])

    Service(Settings(database_url=str(engine.url)), Publisher()).tick()

    assert (count(engine, "subject_days"), count(engine, "subject_marks")) == (1, 0)


def test_after_a_schedulers_tick_sql_readers_see_every_change_and_sqlite_knows_how_much_there_is(tmp_path):
    engine = new_sqlite(tmp_path)
    fill(engine, n_notes=1_000, n_people=10)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE sqlite_stat1"))
        connection.execute(
            insert(changes_table).values(kind="note.upserted", tenant="late", recording_id=1, at=db_now())
        )

    Service(Settings(database_url=str(engine.url)), Publisher()).tick()

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT position FROM v1_change WHERE tenant = 'late'")) == 1_001
        assert connection.scalar(text("SELECT count(*) FROM sqlite_stat1")) > 10


def test_a_scan_without_a_place_says_what_to_set(tmp_path):
    with pytest.raises(SchedulerError, match="TONALOG_STORAGE_URL"):
        Service(Settings.read(home=tmp_path), Publisher()).scan_and_queue()


def test_making_an_application_leaves_the_temporary_folder_of_its_process_alone(tmp_path):
    before = tempfile.gettempdir()

    make_app(Settings.read(home=tmp_path))
    make_worker_app(Settings.read(home=tmp_path))

    assert tempfile.gettempdir() == before
