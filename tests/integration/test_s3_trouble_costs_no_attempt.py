"""S3 is broken while a job runs: it waits, no failure is counted, and once S3 is well it is scored from the whole recording."""

import time
from datetime import UTC, datetime
from hashlib import md5, sha256

import pytest

from config.settings import Settings
from db import history, jobs, pump, recordings, results
from db.reasons import JobState, Lane, Outcome, Reason
from db.rows import NewRecording
from storage import s3_client
from tests.integration.test_s3_faults import BrokenServer, serve
from tests.unit.recordings import encode_native
from tests.unit.sounds import make_voice
from tests.unit.test_worker_tasks import Place
from worker import runtime, tasks

BACKOFF_S = 0.05


class SlowServer(BrokenServer):
    """Answers late while `wait_s` is set."""

    wait_s = 0.0

    def answer(self, handler):
        time.sleep(self.wait_s)
        super().answer(handler)


def be_500(server):
    server.status, server.code = 500, "InternalError"


def be_503(server):
    server.status, server.code = 503, "SlowDown"


def be_slow(server):
    server.wait_s = 0.6


def cut_off(server):
    server.n_cut, server.cut_at = 1000, len(server.content) * 7 // 10


def be_well(server):
    server.status, server.wait_s, server.n_cut = 200, 0.0, 0


def add_job(place, content):
    """Register a recording of the bucket and return its queued job's id."""
    tag, size = md5(content).hexdigest(), len(content)
    known = {"store": "s3", "bucket": "notes", "uploaded_at": datetime.now(UTC)}
    recordings.register(place.engine, [NewRecording(key="a.wav", version_tag=tag, size_bytes=size, **known)])
    jobs.create_jobs(place.engine, place.model.id, lane=Lane.NIGHTLY)
    ((job_id, _),) = pump.due_jobs(place.engine, cap_outstanding=9, limit=9)
    return job_id


@pytest.mark.parametrize("trouble", [be_500, be_503, be_slow, cut_off])
def test_trouble_with_s3_makes_a_job_wait_and_uses_up_no_attempt(trouble, tmp_path, monkeypatch):
    monkeypatch.setattr(s3_client, "N_REQUEST_ATTEMPTS", 1)
    monkeypatch.setattr(s3_client, "READ_TIMEOUT_S", 0.2)
    place, server, voice = Place(tmp_path), SlowServer(), encode_native("WAV", "PCM_16", make_voice(1.5))
    server.content, server.etag = voice, f'"{md5(voice).hexdigest()}"'
    server.n_promised = server.cut_at = len(voice)
    with serve(server) as store:
        access = {"s3_endpoint_url": store._endpoint_url, "s3_access_key": "a", "s3_secret_key": "b"}
        url = f"sqlite:///{tmp_path / 'tonalog.db'}"
        runtime.configure(Settings.read(home=tmp_path, database_url=url, backoff_s=BACKOFF_S, **access))
        job_id = add_job(place, voice)
        trouble(server)
        tasks.score(job_id)
        waiting = place.job()
        be_well(server)
        time.sleep(2 * BACKOFF_S)
        tasks.score(job_id)

    assert (waiting.state, waiting.reason) == (JobState.PENDING, Reason.STORAGE_UNAVAILABLE)
    assert (place.job().state, place.job().failures) == (JobState.DONE, 0)
    outcomes = [attempt.outcome for attempt in history.attempts_of(place.engine, job_id)]
    assert outcomes == [Outcome.RETRY, Outcome.DONE]
    assert results.result_of(place.engine, 1, place.model.id).audio_sha256 == sha256(voice).hexdigest()
