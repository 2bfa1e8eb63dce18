"""A server of the HTTP API on a free port, and a client that keeps nothing back; asserts nothing."""

import http.client
import json
import socket
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from db_samples import a_recording, a_result, add_active_model, days_later, score_all, silence, take

from api.server import make_context, make_server
from config.settings import Settings
from db import api_keys, jobs, ledger, models, recordings
from db.reasons import Lane, Reason, Scope


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """Asks a server on a port; `key` goes along where there is one."""

    def __init__(self, port, key=None):
        self.port = port
        self.key = key

    def ask(self, method, path, *, headers=None, body=None, document=None, **parameters):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        query = "?" + urlencode(parameters, doseq=True) if parameters else ""
        if document is not None:
            body = json.dumps(document)
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path + query, body=body, headers={**sent, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path, **parameters):
        return self.ask("GET", path, **parameters)

    def post(self, path, document=None, **headers):
        """POST a JSON document; `idempotency_key` and other headers by their names with `_`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if document is None else json.dumps(document)
        sent = {} if document is None else {"Content-Type": "application/json"}
        return self.ask("POST", path, headers={**sent, **named}, body=body)

    def pages(self, path, rows, **parameters):
        """All rows of a list, page by page."""
        found, cursor = [], None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = self.get(path, **parameters, **more).json
            found += page[rows]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    def follow(self, cursor=None, **parameters):
        """Everything that the feed of changes tells, and where it goes on."""
        told = []
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = self.get("/v1/changes", **parameters, **more).json
            told += page["changes"]
            cursor = page["next_cursor"]
            if not page["has_more"]:
                return told, cursor


@contextmanager
def running(engine, *, carry_out=lambda: 0, **settings):
    """A real server in a thread of this process; gives its port."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings.read(**{"api_requests_per_s": 10_000.0, "home": folder, **settings})
        with serving(make_context(chosen, engine, carry_out=carry_out)) as port:
            yield port


@contextmanager
def serving(context):
    """A real server with this context."""
    server = make_server(context, host="127.0.0.1", port=0, version="0")
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def a_key(engine, tenant="default", *scopes, **others):
    return api_keys.create(engine, tenant, name="app", scopes=scopes or (Scope.READ,), **others).secret


def subject_path(subject, rest=""):
    return f"/v1/subjects/{quote(subject, safe='')}{rest}"


VOICE = {"pitch_median_hz": 187.4, "pause_share": 0.125}


def fill(engine):
    """Two tenants with a person of the same name each, notes of every state, and a model."""
    found = [
        a_recording(
            f"anna/{n}.wav",
            subject="anna",
            recorded_at=days_later(n),
            utc_offset_min=60,
            recorded_at_zone="Europe/Berlin",
            recorded_at_precision="second",
            local_day=days_later(n).date(),
        )
        for n in range(6)
    ]
    found += [a_recording("anna/x.wav", subject="anna"), a_recording("ben.wav", subject="ben")]
    found += [
        a_recording(f"clinic/{n}.wav", subject="anna", tenant="clinic", recorded_at=days_later(n)) for n in range(3)
    ]
    recordings.register(engine, found)
    model = models.active_model(engine) or add_active_model(engine)
    jobs.create_jobs(engine, model.id, lane=Lane.NIGHTLY)
    ledger.finish(engine, take(engine, 1), a_result(dimensions={"arousal": 0.5, "valence": -0.5}, voice=VOICE))
    ledger.finish(engine, take(engine, 2), silence())
    ledger.fail_dead(engine, take(engine, 3), Reason.NOT_AUDIO, detail="x")
    score_all(engine)


def put(began, content, **others):
    """PUT to a signed URL; `Content-Length` is that of the content unless said."""
    parts = urlsplit(began.json["put"]["url"])
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    headers = began.json["put"]["headers"] | {"Content-Length": str(len(content))} | others
    connection.request("PUT", f"{parts.path}?{parts.query}", content, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
