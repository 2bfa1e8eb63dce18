"""docker-compose.yml with its own commands and environment as plain processes on real servers, so that it cannot drift.

Only hosts, ports and paths are mapped to this machine: `compose.Stack.loopback` is the one table of it.
"""

import hashlib
import re
import shutil
import signal
import stat
import subprocess
import time

import psycopg
import pytest
from api_samples import Client, put
from botocore.exceptions import ClientError
from command import NOTES, ROOT, wait_until
from compose import Stack, read_env, services
from receivers import receiving
from servers import S3Access
from servers.running import run_server
from standardwebhooks import Webhook

N_BY_THE_APP = 3
UPLOADED = ("vera/2026-03-06.mp3", "ana/2026-03-02T08-15-00Z.ogg", "luca/2026-03-02T12-30-00Z.m4a")


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """What `deploy/make-env.sh` writes."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    script = ["/bin/sh", str(folder / "deploy" / "make-env.sh")]
    subprocess.run(script, check=True, capture_output=True)

    again = subprocess.run(script, check=False, capture_output=True, text=True)

    assert (again.returncode, ".env is there already" in again.stderr) == (1, True)
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    return read_env((folder / ".env").read_text())


@pytest.fixture(scope="module")
def stack(tmp_path_factory, variables):
    yield from run_server(
        lambda: Stack(tmp_path_factory.mktemp("stack"), services(variables | {"TONALOG_WEBHOOK_ALLOW": "127.0.0.0/8"}))
    )


@pytest.fixture(scope="module")
def bucket_of(stack, variables):
    """The bucket as one of the two key pairs sees it."""

    def access(pair):
        return S3Access(
            endpoint_url=f"http://127.0.0.1:{stack.ports['s3']}",
            bucket="voice-notes",
            access_key=variables[f"{pair}_S3_ACCESS_KEY"],
            secret_key=variables[f"{pair}_S3_SECRET_KEY"],
        )

    return access


def ask(stack, statement):
    url = stack.postgres.url_of("tonalog").replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_every_secret_is_made_anew_and_no_two_are_alike(variables):
    assert len(set(variables.values())) == len(variables) == 13
    assert all(len(value) == 48 and value.isalnum() for value in variables.values())


@pytest.fixture(scope="module")
def app(stack):
    """An app with a key of the HTTP API, which the operator made."""
    words = ["tonalog", "keys", "create", "--tenant", "default", "--scope", "read", "--scope", "write"]
    code, printed = stack.run("migrate", words)
    assert code == 0, printed
    return Client(stack.ports["api"], re.search(r"\btonalog_\S+", printed)[0])


def test_an_app_uploads_notes_and_is_told_of_their_scores(stack, app, record_property):
    """The first thing that the stack does, so that its first note waits for the worker's model too."""
    assert Client(app.port).get("/v1/models").status == 401
    with receiving() as receiver:
        made = app.post("/v1/webhook-endpoints", {"url": receiver.url, "events": ["note.scored"]})
        assert made.status == 201, made.body
        found = [upload_and_be_told(stack, app, receiver) for _ in range(N_BY_THE_APP)]
        assert app.ask("DELETE", made.headers["location"]).status == 204

    for _, got in found:
        told = Webhook(made.json["secret"]).verify(got.body, got.headers)
        assert (told["type"], told["data"]["subject"]) == ("note.scored", "Zoë")
        assert app.get(f"/v1/notes/{told['data']['note_id']}").json["status"] == "scored"
    cold, *warm = (f"{wall_s:.2f} s" for wall_s, _ in found)
    print(f"\nfrom upload to webhook: {cold} with a cold worker, then {', '.join(warm)}")  # noqa: T201 - a figure to read
    record_property("upload_to_webhook_s", ", ".join([cold, *warm]))


def upload_and_be_told(stack, app, receiver):
    """Upload a note; gives the seconds from the first request to the webhook, and what came."""
    content, n_before = (NOTES / UPLOADED[0]).read_bytes(), len(receiver.received)
    announced = {"extension": "mp3", "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    begun_s = time.monotonic()
    began = app.post("/v1/uploads", {"subject": "Zoë", "recorded_at": "2026-03-06T09:15:00+01:00", **announced})
    assert began.status == 201, began.body
    assert put(began, content) == 200
    assert app.post(f"{began.headers['location']}/complete").json["status"] == "received"
    is_told = wait_until(lambda: len(receiver.received) > n_before, timeout_s=90, every_s=0.02)
    assert is_told, stack.logs()
    return time.monotonic() - begun_s, receiver.received[-1]


def test_a_note_in_the_bucket_is_scored_into_a_row(stack, bucket_of):
    client = bucket_of("UPLOAD").client()
    ((n_before,),) = ask(stack, "SELECT count(*) FROM v1_note")
    for key in UPLOADED:
        client.put_object(Bucket="voice-notes", Key=key, Body=(NOTES / key).read_bytes())

    code, printed = stack.run("scheduler", ["tonalog", "scan"])

    assert (code, "3 new, 0 corrected, 3 jobs made" in printed) == (0, True), printed
    done = wait_until(
        lambda: ask(stack, "SELECT count(*) FROM v1_note WHERE status = 'scored'") == [(n_before + 3,)],
        timeout_s=90,
    )
    assert done, f"{ask(stack, 'SELECT recording_id, status, reason FROM v1_note')}\n{stack.logs()}"
    keys = [key for (key,) in ask(stack, "SELECT key FROM recordings")]
    assert {key for key in keys if not key.startswith("uploads/")} == set(UPLOADED)
    assert client.list_objects_v2(Bucket="voice-notes")["KeyCount"] == len(keys) == n_before + 3


@pytest.mark.parametrize(
    ("role", "refused"),
    [
        ("worker", "SELECT anger FROM results"),
        ("worker", "DELETE FROM jobs"),
        ("scheduler", "DELETE FROM results"),
        ("scheduler", "DROP VIEW v1_note"),
    ],
)
def test_a_service_may_do_its_own_work_in_the_database_and_no_more(stack, role, refused):
    (url,) = {stack.here(stack.services[role], stack.services[role].environment["TONALOG_DATABASE_URL"])}

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        assert connection.info.user == f"tonalog_{role}"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(refused)


def test_every_long_running_service_has_a_health_check_and_still_runs(stack):
    running = {name for name, service in stack.services.items() if not service.is_one_shot}

    assert {name for name, service in stack.services.items() if service.has_health} == running
    assert {name for name, process in stack.processes.items() if process.poll() is None} == running - {"postgres"}


def test_a_health_check_fails_without_the_broker(stack):
    wrong = {"TONALOG_BROKER_URL": "redis://:wrong@valkey:6379/0"}
    worker = stack.services["worker"]
    worker.spec["environment"], right = worker.spec["environment"] | wrong, worker.spec["environment"]
    try:
        code, printed = stack.run("worker", worker.health_command)
    finally:
        worker.spec["environment"] = right

    assert (code, "FAIL  broker" in printed) == (2, True)


def test_tonalogs_own_key_lists_and_reads_and_can_neither_write_nor_delete(stack, bucket_of):
    client = bucket_of("TONALOG").client()
    key = UPLOADED[0]

    listed = {item["Key"] for item in client.list_objects_v2(Bucket="voice-notes")["Contents"]}
    assert listed >= set(UPLOADED)
    assert client.get_object(Bucket="voice-notes", Key=key)["Body"].read() == (NOTES / key).read_bytes()
    for refused in (
        lambda: client.put_object(Bucket="voice-notes", Key="new.wav", Body=b"sound"),
        lambda: client.put_object(Bucket="voice-notes", Key=key, Body=b"sound"),
        lambda: client.delete_object(Bucket="voice-notes", Key=key),
        lambda: client.create_bucket(Bucket="another"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()


def test_the_key_of_the_http_api_puts_and_reads_uploads_and_nothing_else(bucket_of):
    client = bucket_of("API").client()
    client.put_object(Bucket="voice-notes", Key="uploads/1/note.ogg", Body=b"sound")

    assert client.get_object(Bucket="voice-notes", Key="uploads/1/note.ogg")["Body"].read() == b"sound"
    for refused in (
        lambda: client.put_object(Bucket="voice-notes", Key="new.wav", Body=b"sound"),
        lambda: client.put_object(Bucket="voice-notes", Key="uploads.wav", Body=b"sound"),
        lambda: client.get_object(Bucket="voice-notes", Key=UPLOADED[0]),
        lambda: client.list_objects_v2(Bucket="voice-notes"),
        lambda: client.create_bucket(Bucket="another"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()


def test_nobody_reads_without_a_key(stack, bucket_of):
    stranger = S3Access(**{**vars(bucket_of("TONALOG")), "secret_key": "wrong"})

    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stranger.client().list_objects_v2(Bucket="voice-notes")


def test_the_scheduler_sweeps_by_itself(stack):
    swept = "SELECT at_s FROM pulses WHERE name = 'sweep'"
    before = ask(stack, swept)

    assert wait_until(lambda: ask(stack, swept) > before, timeout_s=30), stack.logs()


@pytest.mark.parametrize("name", ["bucket", "migrate"])
def test_what_runs_once_changes_nothing_when_it_runs_again(stack, name):
    before = ask(stack, "SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM results)")

    code, printed = stack.run(name, stack.services[name].command)

    assert code == 0, printed
    assert ask(stack, "SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM results)") == before


def test_nothing_that_runs_reports_an_error(stack):
    for name in ("worker", "scheduler", "api", "webhooks"):
        log = (stack.folder / f"{name}.log").read_text()
        assert not re.search(r" (ERROR|CRITICAL) |Traceback", log), log


def test_no_secret_is_in_a_log_or_in_a_list_of_processes(stack, variables):
    listed = subprocess.run(["/bin/ps", "-eo", "args"], check=False, capture_output=True, text=True).stdout

    for name, secret in variables.items():
        assert secret not in stack.logs(), name
        assert secret not in listed, name


@pytest.mark.parametrize("name", ["scheduler", "worker", "api", "webhooks"])
def test_term_ends_a_service_well_within_its_grace_period(stack, name):
    process = stack.processes[name]

    process.send_signal(signal.SIGTERM)  # to `tonalog` alone, as `init: true` passes it on

    assert process.wait(timeout=30) == 0, stack.logs()
