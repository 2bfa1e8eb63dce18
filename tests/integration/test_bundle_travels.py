"""A bundle travels over a real S3: an operator adds it, and a worker that has nothing but its settings scores with it."""

import shutil

import pytest
import soundfile

from config.settings import Settings
from db.reasons import JobState, Reason
from scheduler.scan import Naming, scan
from storage.s3 import S3Store
from tests.unit.sounds import RATE_HZ, make_voice
from tests.unit.test_worker_tasks import Place
from tonalog.session import store_bundle
from worker import runtime, tasks
from worker.registered import CACHE_FOLDER


@pytest.fixture
def place(s3, tmp_path):
    """A place of a worker that has no bundle of its own, and one job; the bundle is stored in the recordings' bucket."""
    access = {"s3_endpoint_url": s3.endpoint_url, "s3_access_key": s3.access_key, "s3_secret_key": s3.secret_key}
    place = Place(tmp_path, bundles=f"s3://{s3.bucket}/models", **access)
    store_bundle(runtime.current().settings, place.model, place.bundle)
    shutil.rmtree(place.bundle)
    file = tmp_path / "voice.wav"
    soundfile.write(file, make_voice(3.0), RATE_HZ)
    place.add("a.wav", file.read_bytes())
    return place


def test_a_worker_with_an_empty_cache_scores_and_the_next_one_needs_no_server(place, s3, tmp_path):
    tasks.score(1)

    assert place.job().state == JobState.DONE
    assert [copy.name for copy in (tmp_path / CACHE_FOLDER).iterdir()] == [place.model.bundle_sha256]

    away = {**runtime.current().settings.model_dump(), "s3_endpoint_url": "http://127.0.0.1:9"}
    runtime.configure(Settings(**away))
    assert runtime.current().scorer_of(place.model).bundle.sha256 == place.model.bundle_sha256


def test_a_job_waits_while_the_server_is_away(place):
    away = {**runtime.current().settings.model_dump(), "s3_endpoint_url": "http://127.0.0.1:9"}
    runtime.configure(Settings(**away))

    tasks.score(1)

    assert (place.job().state, place.job().reason) == (JobState.PENDING, Reason.STORAGE_UNAVAILABLE)


def test_a_scan_of_the_bucket_takes_no_bundle_for_a_recording(place, s3):
    store = S3Store(s3.bucket, endpoint_url=s3.endpoint_url, access_key=s3.access_key, secret_key=s3.secret_key)
    store.put("anna/2026-03-02T08-15-00Z.ogg", b"sound")

    found = scan(place.engine, store, prefix="", naming=Naming("{subject}/{recorded_at}...", "UTC"))

    assert found.n_new == 1
