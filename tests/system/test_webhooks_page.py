"""docs/webhooks.md, block by block: its receiver as it stands, and its requests to the real `tonalog api`."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from api_samples import Client, free_port
from command import ROOT, Cli, kill_tree, wait_until
from db_samples import a_recording, add_active_model, new_sqlite, score_all

from api.webhooks.sender import MAX_OF_ENDPOINT, MAX_OF_TENANT, N_THREADS, RETRY_DELAYS_S
from config.settings import Settings
from db import api_keys, jobs, recordings
from db.reasons import EventKind, Lane, Scope
from db.webhooks import MAX_ENDPOINTS

PAGE = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
ASKING = re.findall(r"^```sh\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
(RECEIVER,) = re.findall(r"^```python\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
(EXAMPLE,) = re.findall(r"^```json\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)


def is_ready(port):
    try:
        return Client(port).get("/readyz").status == 200
    except OSError:
        return False


@pytest.fixture
def served(tmp_path):
    """The real command on the embedded default; gives a client that may write, its folder and its database."""
    (tmp_path / "home").mkdir()
    engine = new_sqlite(tmp_path / "home")
    add_active_model(engine)
    secret = api_keys.create(engine, "default", name="app", scopes=list(Scope)).secret
    port = free_port()
    cli = Cli(tmp_path, {"TONALOG_WEBHOOK_ALLOW": "127.0.0.0/8"})
    process = cli.start("api", "--port", port, log="api.log")
    try:
        assert wait_until(lambda: is_ready(port), timeout_s=120), cli.worker_log()
        yield Client(port, secret), cli, engine
    finally:
        kill_tree(process)


def score(engine, name):
    recordings.register(engine, [a_recording(f"{name}.wav", subject=name)])
    jobs.create_jobs(engine, 1, lane=Lane.NIGHTLY)
    score_all(engine)


def test_the_receiver_of_the_page_takes_what_is_sent_and_nothing_else(served):
    app, _, engine = served
    port = free_port()
    document = {"url": f"http://127.0.0.1:{port}/", "events": ["note.scored", "subject.erased"]}
    made = app.ask("POST", "/v1/webhook-endpoints", document=document).json
    variables = {**os.environ, "WEBHOOK_SECRET": made["secret"], "PORT": str(port)}
    receiver = subprocess.Popen(
        [sys.executable, "-c", RECEIVER], env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        score(engine, "ana")
        assert receiver.stdout.readline() == "note.scored {'note_id': 1, 'subject': 'ana', 'status': 'scored'}\n"
        forged = Client(port).ask("POST", "/", document={"type": "note.scored"}, headers={"webhook-id": "msg_1"})
        assert forged.status == 400
        assert app.ask("DELETE", "/v1/subjects/ana").status == 202
        expected = "subject.erased {'n_notes': 1, 'note_ids': [1], 'erasure_id': 1}\n"
        told = receiver.stdout.readline()
        assert sorted(told) == sorted(expected), told  # members of JSON have no order
    finally:
        receiver.kill()
        receiver.wait()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page shows curl, and there is none")
def test_every_request_of_the_page_is_answered(served):
    app, cli, _ = served
    variables = {**cli.environment, "API": f"http://127.0.0.1:{app.port}", "KEY": app.key}
    printed = []
    for block in ASKING:
        done = subprocess.run(["bash", "-ec", block], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (block, done.stderr)
        printed.append(done.stdout)

    assert len(ASKING) >= 5
    assert '"secret":"whsec_' in printed[0]
    assert '"type":"webhook.test"' in printed[1]
    assert app.get("/v1/webhook-endpoints").json == {"webhook_endpoints": []}  # the last one deletes it


def test_the_page_says_what_the_code_does():
    message = json.loads(EXAMPLE)
    rows = re.findall(r"^\| `([a-z.]+)` \|", PAGE, re.MULTILINE)

    assert set(message) == {"type", "timestamp", "data"}
    assert rows == [kind.value for kind in EventKind if kind is not EventKind.TEST]
    assert "5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h" in PAGE
    assert (5, 5 * 60, 30 * 60, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24))) == RETRY_DELAYS_S
    assert (MAX_ENDPOINTS, N_THREADS, MAX_OF_TENANT, MAX_OF_ENDPOINT) == (20, 32, 8, 4)
    assert "`TONALOG_WEBHOOK_DAYS` (30)" in PAGE
    assert Settings.model_fields["webhook_days"].default == 30
