"""A reprocess leaves nightly work its room and its place in line: what the pump publishes and what the file queue serves."""

import time

import pytest
from celery import Celery
from db_samples import PLENTY, a_result, add_jobs, fill_old, new_sqlite, old_recording, set_job, take, upgrade_to

from config.queues import LANES, celery_settings, lane_queue, prepare_folders
from config.settings import Settings
from db import ledger, migrate, pump
from db.engine import make_engine
from db.errors import ConstraintViolated
from db.reasons import Lane


@pytest.fixture
def engine(tmp_path):
    return new_sqlite(tmp_path)


@pytest.fixture
def app(tmp_path):
    settings = Settings(home=tmp_path)
    prepare_folders(settings)
    app = Celery("lanes", set_as_current=False)
    app.conf.update(celery_settings(settings))
    return app


def lanes_of(published):
    return [lane for _, lane in published]


def test_nightly_work_is_rung_at_once_although_bulk_work_fills_the_queue(engine):
    add_jobs(engine, 10, lane=Lane.BULK)
    pump.due_jobs(engine, cap_outstanding=6, limit=6)
    add_jobs(engine, 4)

    assert lanes_of(pump.due_jobs(engine, cap_outstanding=6, limit=6)) == [Lane.NIGHTLY] * 4


def test_nightly_work_has_a_cap_of_its_own(engine):
    nightly = add_jobs(engine, 8)

    assert len(pump.due_jobs(engine, cap_outstanding=6, limit=PLENTY)) == 6
    ledger.finish(engine, take(engine, nightly[0]), a_result())
    assert pump.due_jobs(engine, cap_outstanding=6, limit=PLENTY) == [(nightly[6], Lane.NIGHTLY)]


def test_an_upload_goes_before_nightly_and_bulk_work_that_fill_the_queue(engine):
    add_jobs(engine, 10, lane=Lane.BULK)
    pump.due_jobs(engine, cap_outstanding=6, limit=6)
    add_jobs(engine, 10)
    pump.due_jobs(engine, cap_outstanding=6, limit=6)
    (upload,) = add_jobs(engine, 1, lane=Lane.INTERACTIVE)

    assert pump.due_jobs(engine, cap_outstanding=6, limit=6)[0] == (upload, Lane.INTERACTIVE)


def test_uploads_do_not_stop_a_reprocess(engine):
    add_jobs(engine, 1, lane=Lane.INTERACTIVE)
    add_jobs(engine, 1, lane=Lane.BULK)

    assert lanes_of(pump.due_jobs(engine, cap_outstanding=6, limit=6)) == [Lane.INTERACTIVE, Lane.BULK]


def test_bulk_work_that_waited_long_is_rung_again_behind_new_nightly_work(engine):
    bulk = add_jobs(engine, 6, lane=Lane.BULK)
    pump.due_jobs(engine, cap_outstanding=6, limit=6)
    for job_id in bulk:
        set_job(engine, job_id, queued_at_s=0.0)
    nightly = add_jobs(engine, 4)

    published = pump.due_jobs(engine, cap_outstanding=6, limit=6)

    assert published[:4] == [(job_id, Lane.NIGHTLY) for job_id in nightly]
    assert lanes_of(published[4:]) == [Lane.BULK] * 2


def test_the_file_queue_serves_a_later_lane_only_when_the_earlier_ones_are_empty(app):
    taken = []
    with app.connection_for_write() as connection:
        queues = [app.amqp.queues.select_add(lane_queue(lane)) for lane in LANES]
        with app.amqp.TaskConsumer(connection.channel(), queues=queues, accept=["json"]) as consumer:
            for lane in ("bulk", "quarantine", "nightly", "interactive", "nightly"):
                app.send_task("tonalog.score", args=[1], queue=lane_queue(lane))
            consumer.on_message = lambda message: taken.append(message.delivery_info["routing_key"])
            while len(taken) < 5:
                connection.drain_events(timeout=5)

    assert taken == [lane_queue(lane) for lane in ("interactive", "nightly", "nightly", "quarantine", "bulk")]


def test_an_empty_file_queue_gives_control_back_soon_so_that_a_worker_stops_soon(app):
    with app.connection_for_read() as connection, connection.channel():
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=30)

    assert time.monotonic() - began < 15


def test_an_upgrade_lets_jobs_of_a_database_in_use_into_the_new_lane_and_into_no_other(tmp_path):
    engine = make_engine(f"sqlite:///{tmp_path / 'used.db'}")
    upgrade_to(engine, "0005")
    fill_old(engine, [old_recording("anna/0.wav")])
    with pytest.raises(ConstraintViolated):
        set_job(engine, 1, lane="interactive")
    migrate.upgrade(engine)

    set_job(engine, 1, lane="interactive")
    with pytest.raises(ConstraintViolated):
        set_job(engine, 1, lane="fast")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
