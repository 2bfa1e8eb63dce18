"""What the pump keeps in a real Redis: never more than its cap, however often nobody answers; and what was lost is redelivered."""

import pytest
from db_samples import add_active_model, add_jobs, new_sqlite
from kombu.exceptions import OperationalError

from config.queues import lane_queue
from config.settings import Settings
from scheduler.app import make_app
from scheduler.broker import count_waiting
from scheduler.publish import publish_due

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
