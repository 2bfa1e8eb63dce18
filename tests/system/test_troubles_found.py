"""Each trouble is made for real on one running stack, found with its reason, told once, and over when it is over."""

import shutil
import time

import pytest
from command import NOTES, Cli, kill_tree, wait_until
from servers import RedisServer, S3Server
from servers.running import missing_is_said

from config.settings import SHIPPED_MODELS, Settings
from db import alerts, migrate, models, nights, pulses, slots
from db.engine import make_engine
from db.reasons import TroubleKind
from scheduler.app import make_app
from scheduler.probes import StorageProbe, look_at_ledger
from scheduler.service import Service
from tonalog.session import register_bundle

SHORT = sorted((NOTES / "ana").glob("*.ogg"))[:2]
BUCKET = "notes"


class Stack:
    """A scheduler and a worker on servers of their own; gives what is found now."""

    def __init__(self, folder, redis, s3):
        self.folder = folder
        self.redis = redis
        self.s3 = s3
        self.models = folder / "models"
        (shipped,) = SHIPPED_MODELS.glob("*/manifest.json")
        self.bundle = self.models / shipped.parent.name
        shutil.copytree(shipped.parent, self.bundle)
        access = s3.access(BUCKET)
        values = {
            "database_url": f"sqlite:///{folder / 'tonalog.db'}",
            "broker_url": redis.url,
            "storage_url": f"s3://{BUCKET}",
            "s3_endpoint_url": access.endpoint_url,
            "s3_access_key": access.access_key,
            "s3_secret_key": access.secret_key,
            "models_dir": self.models,
            "heartbeat_s": 1.0,
            "sweep_s": 3.0,
            "alert_every_s": 6.0,
        }
        self.settings = Settings(home=folder / "home", **values)
        self.cli = Cli(folder, {f"TONALOG_{name.upper()}": str(value) for name, value in values.items()})
        self.engine = make_engine(values["database_url"])
        self.processes = {}

    def start(self, command, *words):
        self.processes[command] = self.cli.start(command, *words, log=f"{command}.log")

    def kill(self, command):
        kill_tree(self.processes.pop(command))

    def put(self, name):
        client = self.s3.access(BUCKET).client()
        client.put_object(Bucket=BUCKET, Key=name, Body=SHORT[0].read_bytes())
        client.close()

    def found(self, kind):
        """The trouble of a kind, or None."""
        troubles = look_at_ledger(self.engine, self.settings).troubles
        return next((trouble for trouble in troubles if trouble.kind is kind), None)

    def comes(self, kind, timeout_s=60):
        """The sentence of a trouble, once it is there."""
        assert wait_until(lambda: self.found(kind), timeout_s=timeout_s, every_s=0.5), self.cli.worker_log()
        return self.found(kind).sentence

    def goes(self, kind, timeout_s=90):
        assert wait_until(lambda: not self.found(kind), timeout_s=timeout_s, every_s=0.5), self.cli.worker_log()

    def is_told(self, kind):
        """Whether an alert is open."""
        return any(alert.kind is kind for alert in alerts.list_open(self.engine))


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with missing_is_said():
        redis, s3 = RedisServer(), S3Server()
    stack = Stack(tmp_path_factory.mktemp("watched"), redis, s3)
    try:
        redis.start()
        migrate.upgrade(stack.engine)
        models.activate(stack.engine, register_bundle(stack.engine, stack.bundle).id)
        slots.pulse(stack.engine, "scheduler first start")
        with stack.engine.begin() as connection:  # as if it had first started days ago, so that a night is due
            connection.exec_driver_sql("UPDATE pulses SET at_s = at_s - 259200")
        stack.start("scheduler")
        yield stack
    finally:
        for name in list(stack.processes):
            stack.kill(name)
        redis.close()
        s3.close()


def test_a_night_whose_storage_is_down_says_why_and_is_told(stack):
    said = stack.comes(TroubleKind.SLOT)
    assert "the nightly run of" in said
    assert "StorageUnavailable" in said
    assert wait_until(lambda: stack.is_told(TroubleKind.STORAGE) and stack.is_told(TroubleKind.SLOT), timeout_s=60)

    printed = stack.cli("doctor", "--quiet", code=2)

    assert "FAIL  storage: " in printed
    assert "FAIL  slot: the nightly run of" in printed
    assert "ok  " not in printed


def test_the_night_is_done_and_its_jobs_wait_for_a_worker_that_is_not_there(stack):
    stack.s3.start()
    client = stack.s3.access(BUCKET).client()
    client.create_bucket(Bucket=BUCKET)
    client.close()
    stack.put("anna/2026-03-02T08-15-00Z.ogg")

    with stack.engine.begin() as connection:  # it is tried again after a minute; let that be over
        connection.exec_driver_sql("UPDATE schedule_slots SET lease_until_s = 0")
    stack.goes(TroubleKind.SLOT)
    assert wait_until(lambda: not stack.is_told(TroubleKind.STORAGE), timeout_s=60)
    assert "jobs wait in nightly" in stack.comes(TroubleKind.WORKER)
    assert wait_until(lambda: stack.is_told(TroubleKind.WORKER), timeout_s=30)
    assert nights.last_summary(stack.engine) is None

    stack.start("worker", "--concurrency", "1")
    stack.goes(TroubleKind.WORKER)
    assert wait_until(lambda: nights.last_summary(stack.engine), timeout_s=90), stack.cli.worker_log()
    summary = nights.last_summary(stack.engine)
    assert (summary["n_recordings"], summary["n_done"], summary["n_waiting"]) == (1, 1, 0)
    assert not stack.is_told(TroubleKind.WORKER)
    (worker,) = pulses.list_workers(stack.engine)
    assert worker.bundle.error is None
    assert wait_until(lambda: pulses.list_workers(stack.engine)[0].last_job_id == 1, timeout_s=30)


def test_a_bundle_that_was_changed_on_a_worker_is_found(stack):
    card = stack.bundle / "MODEL_CARD.md"
    text = card.read_bytes()
    card.write_text("another card")
    try:
        assert "holds another card" in stack.comes(TroubleKind.BUNDLE)
    finally:
        card.write_bytes(text)

    stack.goes(TroubleKind.BUNDLE)


def test_clocks_are_held_against_the_database_and_the_storage(stack):
    wrong = {"clock": lambda: time.time() + 3_600}

    assert StorageProbe(stack.settings).look() == []
    (of_storage,) = StorageProbe(stack.settings, **wrong).look()
    of_database = look_at_ledger(stack.engine, stack.settings, **wrong).troubles

    assert "this host is 60 min ahead of the object storage's clock" in of_storage.text
    assert any("this host is 60 min ahead of the database's clock" in trouble.text for trouble in of_database)


def test_a_silent_broker_is_given_up_after_some_seconds(stack):
    stack.redis.pause()
    try:
        printed = stack.cli("doctor", "--quiet", "--links", code=2)
    finally:
        stack.redis.resume()

    assert printed == "FAIL  broker: no answer within 6 s: see that the server runs and does not stand still\n"


def test_a_worker_that_was_killed_is_missed_once_something_waits(stack):
    stack.kill("worker")
    stack.put("anna/2026-03-03T08-15-00Z.ogg")
    assert stack.found(TroubleKind.WORKER) is None

    assert Service(stack.settings, make_app(stack.settings)).scan_and_queue().n_new == 1

    assert "no live worker takes them (one was last seen" in stack.comes(TroubleKind.WORKER)
    strict = stack.settings.model_copy(update={"queue_age_s": 0.5})
    assert TroubleKind.QUEUE in {trouble.kind for trouble in look_at_ledger(stack.engine, strict).troubles}


def test_a_scheduler_that_was_killed_is_missed(stack):
    stack.kill("scheduler")

    assert "the scheduler was last seen" in stack.comes(TroubleKind.SCHEDULER)
