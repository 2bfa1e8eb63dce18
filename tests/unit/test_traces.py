"""Traces of a job are one trace from the queue to its row, sent where a setting says, and hold ids alone."""

import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import soundfile
from db_samples import set_job
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config.settings import Settings, SettingsError
from db.reasons import JobState
from scheduler.publish import publish_due
from telemetry import traces
from tests.unit.sounds import RATE_HZ, make_voice
from tests.unit.test_worker_tasks import Place
from worker import tasks

NAME = "annabelle-2026-03-02.wav"


class Collector(HTTPServer):
    """A collector on a free port, which keeps every span by its name."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Receiving)
        self.spans, self.services = [], set()
        self.url = f"http://127.0.0.1:{self.server_port}/v1/traces"


class Receiving(BaseHTTPRequestHandler):
    def do_POST(self):
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for of_resource in request.resource_spans:
            self.server.services |= {
                item.value.string_value for item in of_resource.resource.attributes if item.key == "service.name"
            }
            self.server.spans += [span for scope in of_resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


class Broker:
    """A client that keeps nothing of what it sends."""

    @contextmanager
    def producer_or_acquire(self):
        yield self

    def batch(self):
        return nullcontext()

    def send_task(self, name, *, args, queue, producer):
        pass


@pytest.fixture
def collector():
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        traces.stop()
        server.shutdown()


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    file = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(file, make_voice(12.0), RATE_HZ)
    return file.read_bytes()


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr("scheduler.publish.count_waiting", lambda *_: {})
    return Place(tmp_path)


def publish_and_score(place, job_id):
    set_job(place.engine, job_id, state=JobState.PENDING, queued_at_s=None)
    publish_due(place.engine, Broker(), queue_cap=10)
    tasks.score(job_id)


def attributes_of(span):
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


def test_a_job_is_one_trace_from_the_queue_to_its_row(place, voice, collector):
    job_id = place.add(NAME, voice)
    traces.start(collector.url, process="worker", database=str(place.engine.url))
    publish_and_score(place, job_id)
    traces.stop()

    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {"enqueue", "attempt", "load", "fetch", "score", "finish"}
    assert {int.from_bytes(span.trace_id) for span in spans.values()} == {
        traces.trace_id_of(traces.namespace_of(str(place.engine.url)), job_id)
    }
    assert {spans[name].parent_span_id for name in ("load", "fetch", "score", "finish")} == {spans["attempt"].span_id}
    assert spans["enqueue"].parent_span_id == spans["attempt"].parent_span_id == b""
    told = attributes_of(spans["attempt"])
    assert {told[name] for name in ("job_id", "recording_id", "attempt")} == {1}
    assert (told["outcome"], told["status"], told["model"]) == ("DONE", "SCORED", "tiny-0.0.1")
    assert collector.services == {"tonalog-worker"}


def test_an_error_is_told_by_its_type_and_nothing_names_a_recording(place, collector, monkeypatch):
    job_id = place.add(NAME, b"Dear diary")
    traces.start(collector.url, process="worker", database="here")
    publish_and_score(place, job_id)
    with pytest.raises(ValueError, match="canary"), traces.span("scan"):
        raise ValueError("canary")
    traces.stop()

    sent = b"".join(span.SerializeToString() for span in collector.spans)
    assert {span.name: span.status.message for span in collector.spans if span.status.message} == {
        "score": "AudioError",
        "scan": "ValueError",
    }
    for word in (b"annabelle", b"diary", b"canary", str(place.notes).encode()):
        assert word not in sent


def test_a_share_of_the_jobs_is_the_same_share_in_each_process(collector):
    seen = []
    for process in ("scheduler", "worker"):
        collector.spans.clear()
        traces.start(collector.url, process=process, database="here", share=0.25)
        for job_id in range(1, 201):
            with traces.span("enqueue", job_id=job_id):
                pass
        traces.stop()
        seen.append({attributes_of(span)["job_id"] for span in collector.spans})

    assert seen[0] == seen[1]
    assert 20 < len(seen[0]) < 80


def test_without_an_address_nothing_of_opentelemetry_is_imported():
    program = (
        "import sys; from telemetry import traces; import scheduler.publish, worker.attempt\n"
        "with traces.span('scan', job_id=7): traces.note(n=1)\n"
        "sys.exit('opentelemetry' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_an_address_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("TONALOG_TRACES_URL", "collector:4318")

    with pytest.raises(SettingsError, match=r"TONALOG_TRACES_URL='collector:4318': is no http:// or https:// URL"):
        Settings.read()
