"""What tools such as Flower hear of a worker: ids and times, and nothing that a log or an app could not be told."""

import importlib.util
import json
import threading

from command import ROOT, wait_until

from config.queues import SCORE_TASK, celery_settings, lane_queue
from config.settings import Settings
from db import history
from db.reasons import JobState
from scheduler.app import make_app
from scheduler.publish import publish_due
from tests.chaos.backends import BACKENDS
from tests.chaos.stage import staged
from tests.integration.test_forged_messages import CALM, register

TOLD = {"task-sent", "task-received", "task-started", "task-succeeded"}


def open_flower_app(monkeypatch, url):
    """The application of deploy/monitoring, as Flower loads it."""
    monkeypatch.setenv("TONALOG_BROKER_URL", url)
    spec = importlib.util.spec_from_file_location("flower_app", ROOT / "deploy" / "monitoring" / "flower_app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def test_task_events_are_off_where_nobody_could_read_them_or_a_setting_says_so(tmp_path):
    def is_on(**settings):
        made = celery_settings(Settings.read(home=tmp_path, **settings))
        return made["worker_send_task_events"], made["task_send_sent_event"]

    assert is_on() == (False, False)
    assert is_on(broker_url="redis://broker/0") == (True, True)
    assert is_on(broker_url="redis://broker/0", task_events=False) == (False, False)


def test_flower_hears_of_each_job_by_its_id_alone_and_no_worker_drops_a_message(tmp_path, monkeypatch):
    with staged(BACKENDS["redis-sqlite"], tmp_path, seed=3, n_workers=1, changes=CALM) as stage:
        stage.feeder.bring(["sound"])
        job_id = register(stage)
        app = open_flower_app(monkeypatch, stage.settings.broker)
        heard = []
        with app.connection() as connection:
            receiver = app.events.Receiver(connection, handlers={"*": heard.append})
            thread = threading.Thread(
                target=lambda: receiver.capture(limit=None, timeout=None, wakeup=False), daemon=True
            )
            thread.start()
            for worker in stage.workers:
                worker.start()
            assert wait_until(lambda: "worker-heartbeat" in kinds(heard), timeout_s=60)
            publish_due(stage.engine, make_app(stage.settings), queue_cap=10)
            assert wait_until(lambda: history.counts(stage.engine).by_state == {JobState.DONE: 1}, timeout_s=60)
            assert wait_until(lambda: kinds(heard) >= TOLD, timeout_s=20), kinds(heard)
            receiver.should_stop = True
            names = sorted(app.control.inspect(timeout=3).ping() or {})
        of_task = [event for event in heard if event["type"].startswith("task-")]
        log = "\n".join(stage.log_lines())

    assert {event["name"] for event in of_task if "name" in event} == {SCORE_TASK}
    assert {event["args"] for event in of_task if event.get("args")} == {f"({job_id},)", f"[{job_id}]"}
    assert {event["queue"] for event in of_task if "queue" in event} == {lane_queue("nightly")}
    assert str(stage.folder) not in json.dumps(heard)
    assert len(names) == 1
    assert "message dropped" not in log


def kinds(heard):
    return {event["type"] for event in heard}
