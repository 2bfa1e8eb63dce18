"""What the pump keeps in a real Redis: never more than its cap, however often nobody answers; and what was lost is redelivered."""

import base64
import json

import pytest
from db_samples import a_result, add_active_model, add_jobs, new_sqlite, take
from kombu.exceptions import OperationalError

from config.envelopes import read_job_ids
from config.queues import lane_queue
from config.settings import Settings
from db import history
from db.ledger import finish
from db.reasons import JobState
from scheduler.app import make_app
from scheduler.broker import count_waiting
from scheduler.publish import publish_due
from scheduler.service import Service

CAP = 4
NIGHTLY = lane_queue("nightly")


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    add_jobs(engine, 10)
    return engine


def pump_often(engine, app):
    for _ in range(5):
        publish_due(engine, app, queue_cap=CAP, redeliver_s=0.0)
    return count_waiting(app, [NIGHTLY])[NIGHTLY]


def test_the_queue_stays_under_its_cap_while_no_worker_runs_and_is_filled_again_after_a_loss(
    engine, tmp_path, forgetful_redis
):
    app = make_app(Settings.read(home=tmp_path / "home", broker_url=forgetful_redis.url))

    before = pump_often(engine, app)
    with forgetful_redis.connect() as client:
        client.flushall()
    after = pump_often(engine, app)

    assert (before, after) == (CAP, CAP)
    forgetful_redis.kill()
    with pytest.raises(OperationalError):
        count_waiting(app, [NIGHTLY])


def test_messages_of_several_pages_come_whole_and_in_order_and_a_broker_that_goes_away_leaves_no_job_queued(
    engine, tmp_path, forgetful_redis, monkeypatch
):
    monkeypatch.setattr("scheduler.publish.PAGE", 3)
    app = make_app(Settings.read(home=tmp_path / "home", broker_url=forgetful_redis.url))

    first = publish_due(engine, app, queue_cap=7)
    with forgetful_redis.connect() as client:
        messages = client.lrange(f"tonalog:{NIGHTLY}", 0, -1)
    ids = [job_id_of(message) for message in reversed(messages)]
    monkeypatch.setattr("scheduler.publish.count_waiting", lambda *_: {})
    forgetful_redis.kill()
    second = publish_due(engine, app, queue_cap=100)

    assert (first.n_sent, ids) == (7, [1, 2, 3, 4, 5, 6, 7])
    assert (second.n_due, second.n_sent) == (3, 0)
    assert history.counts(engine).by_state == {JobState.QUEUED: 7, JobState.PENDING: 3}


def test_a_queue_that_workers_empty_is_filled_up_between_ticks_and_never_beyond_its_cap(
    engine, tmp_path, forgetful_redis
):
    settings = Settings.read(
        home=tmp_path / "home", database_url=str(engine.url), broker_url=forgetful_redis.url, queue_cap=CAP
    )
    service = Service(settings, make_app(settings))
    service.make_pump_loop().start()

    service.publish()  # the one tick
    with forgetful_redis.connect() as client:
        while (message := client.brpop(f"tonalog:{NIGHTLY}", timeout=30)) is not None:
            assert client.llen(f"tonalog:{NIGHTLY}") < CAP
            finish(engine, take(engine, job_id_of(message[1])), a_result())
            if history.counts(engine).by_state == {JobState.DONE: 10}:
                break

    assert history.counts(engine).by_state == {JobState.DONE: 10}


def job_id_of(message):
    (job_id,) = read_job_ids(json.loads(base64.b64decode(json.loads(message)["body"])))
    return job_id
