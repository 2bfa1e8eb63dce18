"""The real commands: `tonalog api` sends by itself on SQLite, and a killed sender loses nothing."""

import json
import os
import signal
import subprocess
import sys

import pytest
from api_samples import Client, free_port
from command import Cli, kill_tree, wait_until
from db_samples import a_recording, add_active_model, new_sqlite, score_all
from receivers import Receiver, receiving
from sqlalchemy import update
from standardwebhooks import Webhook

from db import api_keys, delivery_log, jobs, recordings, webhooks
from db.columns import db_now_s
from db.reasons import DeliveryState, EventKind, Lane, Scope
from db.webhook_schema import webhook_deliveries

ALLOW = {"TONALOG_WEBHOOK_ALLOW": "127.0.0.0/8", "TONALOG_API_REQUESTS_PER_S": "10000"}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    engine = new_sqlite(tmp_path / "home")
    add_active_model(engine)
    return tmp_path, engine


def score(engine, n):
    recordings.register(engine, [a_recording(f"{i}.wav", subject=f"p{i}") for i in range(n)])
    jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
    score_all(engine)


def is_ready(port):
    try:
        return Client(port).get("/readyz").status == 200
    except OSError:
        return False


def states(engine, endpoint):
    found = delivery_log.list_deliveries(engine, endpoint.id, before_id=None, state=None, limit=500)
    return [row.state for row in found]


def end_leases(engine):
    """Let what a killed sender had taken be due now and not in a minute; return how many deliveries that were."""
    held = webhook_deliveries.c.lease_token.is_not(None)
    with engine.begin() as connection:
        values = {"next_at_s": db_now_s()}
        return connection.execute(update(webhook_deliveries).where(held).values(values)).rowcount


def test_the_api_on_sqlite_tells_an_app_within_seconds(home):
    folder, engine = home
    secret = api_keys.create(engine, "default", name="app", scopes=list(Scope)).secret
    port = free_port()
    cli = Cli(folder, ALLOW)
    process = cli.start("api", "--port", port, log="api.log", is_measured=True)
    try:
        assert wait_until(lambda: is_ready(port), timeout_s=120), cli.worker_log()
        with receiving() as receiver:
            made = Client(port, secret).ask(
                "POST", "/v1/webhook-endpoints", document={"url": receiver.url, "events": ["note.scored"]}
            )
            assert made.status == 201, made.body
            score(engine, 1)
            assert wait_until(lambda: receiver.received, timeout_s=30), cli.worker_log()
        (got,) = receiver.received
        assert Webhook(made.json["secret"]).verify(got.body, got.headers)["data"]["note_id"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert made.json["secret"] not in (folder / "api.log").read_text()
    finally:
        if process.poll() is None:
            kill_tree(process)


def test_a_sender_that_is_killed_loses_nothing_and_sends_little_twice(home):
    folder, engine = home
    with receiving(Receiver(delay_s=0.1)) as receiver:
        endpoint, _ = webhooks.create(
            engine, "default", url=receiver.url, description="", events=[EventKind.NOTE_SCORED]
        )
        score(engine, 30)
        cli = Cli(folder, ALLOW)
        first = cli.start("webhooks", log="first.log")
        assert wait_until(lambda: len(receiver.received) >= 5, timeout_s=120), cli.worker_log()
        kill_tree(first)
        n_sent = len(receiver.received)
        n_held = end_leases(engine)
        second = cli.start("webhooks", log="second.log", is_measured=True)
        try:
            assert wait_until(lambda: set(states(engine, endpoint)) == {DeliveryState.DELIVERED}, timeout_s=150)
        finally:
            second.send_signal(signal.SIGTERM)
            assert second.wait(30) == 0

    told = [json.loads(got.body)["data"]["note_id"] for got in receiver.received]
    assert 5 <= n_sent < 30
    assert n_held > 0, "nothing was under way when it was killed, so nothing was shown"
    assert set(told) == set(range(1, 31))
    assert len(told) <= 30 + 4  # at most what was under way when it was killed
    ids = {json.loads(got.body)["data"]["note_id"]: got.headers["webhook-id"] for got in receiver.received}
    assert len({(note, got.headers["webhook-id"]) for note, got in zip(told, receiver.received, strict=True)}) == len(
        ids
    )


def test_the_sender_loads_nothing_that_hears_scores_or_serves():
    heavy = ("librosa", "onnxruntime", "soundfile", "av", "soxr", "webrtcvad", "celery", "worker", "fastapi", "torch")
    code = (
        "import sys, api.webhooks.sender, api.webhooks.post, tonalog.commands.webhooks; "
        f"print(*(name for name in {heavy!r} if name in sys.modules))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TONALOG_")}

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=clean)

    assert done.stdout.split() == []
