"""One job from message to ledger, in this process: every end is recorded, and only its owner writes."""

import json
import shutil

import pytest
import soundfile
from celery.exceptions import SoftTimeLimitExceeded
from db_samples import new_sqlite, set_job
from sqlalchemy import text

from config.settings import Settings
from db import history, jobs, models, pump, recordings, results
from db.errors import DatabaseError
from db.reasons import JobState, Lane, Reason
from db.rows import NewModel, NewRecording
from storage.local import LocalStore
from tests.unit.bundles import make_graph, write_bundle
from tests.unit.sounds import make_voice
from worker import job, runtime, tasks
from worker.scoring.bundle import load_bundle

SETTINGS = {"lease_s": 60.0, "heartbeat_s": 0.05}


class Place:
    """A database, a folder of recordings, a bundle and a configured worker runtime."""

    def __init__(self, folder, *, graph=None, **settings):
        self.engine = new_sqlite(folder)
        self.notes = folder / "notes"
        self.notes.mkdir()
        self.bundle = write_bundle(folder / "tiny-0.0.1", graph or make_graph())
        bundle = load_bundle(self.bundle)
        manifest = bundle.manifest
        new = NewModel(
            name=manifest.name,
            version=manifest.version,
            sha256=manifest.sha256,
            labels=manifest.labels,
            manifest=manifest.as_document(),
            folder=str(self.bundle),
            bundle_sha256=bundle.sha256,
        )
        self.model = models.activate(self.engine, models.add_model(self.engine, new).id)
        url = f"sqlite:///{folder / 'tonalog.db'}"
        changed = {**SETTINGS, **settings}
        runtime.configure(Settings.read(home=folder, database_url=url, models_dir=folder / "none", **changed))

    def add(self, name, content):
        """Put a recording in place, register it, and return its queued job's id."""
        (self.notes / name).write_bytes(content)
        stored = LocalStore(self.notes).head(name)
        new = NewRecording(
            store="local",
            bucket=str(self.notes.resolve()),
            key=name,
            version_tag=stored.version_tag,
            size_bytes=stored.size_bytes,
            uploaded_at=stored.uploaded_at,
        )
        recordings.register(self.engine, [new])
        jobs.create_jobs(self.engine, self.model.id, lane=Lane.NIGHTLY)
        ((job_id, _),) = pump.due_jobs(self.engine, cap_outstanding=100, limit=100)
        return job_id

    def job(self):
        (found,) = recordings.find(self.engine, "1")
        (job,) = history.jobs_of(self.engine, found.id)
        return job


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    file = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(file, make_voice(12.0), 16_000)
    return file.read_bytes()


def test_a_recording_with_speech_becomes_a_result_with_segments_and_a_finished_attempt(place, voice):
    tasks.score(place.add("a.wav", voice))

    result = results.result_of(place.engine, 1, place.model.id)
    (attempt,) = history.attempts_of(place.engine, place.job().id)
    assert place.job().state is JobState.DONE
    assert result.n_windows == len(result.segments) == 2
    assert result.duration_ms == 12_000
    assert len(result.audio_sha256) == 64
    assert attempt.outcome == "DONE"
    assert attempt.wall_ms > 0
    assert attempt.peak_rss_kib > 10_000


def test_a_message_that_comes_three_times_makes_one_result_and_one_attempt(place, voice):
    job_id = place.add("a.wav", voice)

    for _ in range(3):
        tasks.score(job_id)

    assert len(history.attempts_of(place.engine, job_id)) == 1


def test_bytes_that_are_no_audio_end_the_job_at_once_with_reason_and_sentence(place):
    tasks.score(place.add("a.ogg", b"Dear diary"))

    job = place.job()
    assert (job.state, job.reason, job.attempts) == (JobState.DEAD, Reason.NOT_AUDIO, 1)
    assert "Dear dia" in job.detail


@pytest.mark.parametrize("content", [b"", b"RIFF"])
def test_every_dead_job_has_no_result(place, content):
    tasks.score(place.add("a.wav", content))

    assert place.job().state is JobState.DEAD
    assert results.result_of(place.engine, 1, place.model.id) is None


def test_a_model_that_is_not_there_makes_the_job_wait_and_uses_up_no_attempt(place, voice):
    job_id = place.add("a.wav", voice)
    shutil.rmtree(place.bundle)

    tasks.score(job_id)

    job = place.job()
    assert (job.state, job.reason, job.failures) == (JobState.PENDING, Reason.MODEL_UNAVAILABLE, 0)


def test_a_model_file_that_was_swapped_is_never_scored_with(place, voice):
    job_id = place.add("a.wav", voice)
    shutil.rmtree(place.bundle)
    write_bundle(place.bundle, make_graph(constant=[0.7, 0.1, 0.1, 0.1]))

    tasks.score(job_id)

    assert place.job().reason == Reason.MODEL_UNAVAILABLE
    assert "was registered as" in place.job().detail


def change_manifest(bundle, **changes):
    file = bundle / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def respell(bundle):
    file = bundle / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()), indent=3))


SWAPS = {
    "labels": lambda bundle: change_manifest(bundle, labels=["sadness", "happiness", "neutral", "anger"]),
    "uncertain_below": lambda bundle: change_manifest(bundle, uncertain_below=0.0),
    "min_speech_ms": lambda bundle: change_manifest(bundle, min_speech_ms=0),
    "vad": lambda bundle: change_manifest(bundle, vad={"min_voiced_ms": 0}),
    "version": lambda bundle: change_manifest(bundle, version="0.0.2"),
    "temperature": lambda bundle: change_manifest(bundle, temperature=9.0),
    "spelling of manifest.json": respell,
    "card": lambda bundle: (bundle / "MODEL_CARD.md").write_text("# for every purpose"),
    "licence text": lambda bundle: (bundle / "LICENSE").write_text("None"),
}


@pytest.mark.parametrize("what", SWAPS)
def test_a_bundle_of_which_any_file_was_swapped_is_never_scored_with(place, voice, what):
    job_id = place.add("a.wav", voice)
    SWAPS[what](place.bundle)

    tasks.score(job_id)

    job = place.job()
    assert (job.state, job.reason, job.failures) == (JobState.PENDING, Reason.MODEL_UNAVAILABLE, 0)
    assert what in job.detail


@pytest.mark.parametrize("what", ["labels", "uncertain_below", "vad"])
def test_a_manifest_swapped_under_a_row_from_before_the_hash_is_never_scored_with(place, voice, what):
    job_id = place.add("a.wav", voice)
    forget_hash(place.engine)
    SWAPS[what](place.bundle)

    tasks.score(job_id)

    assert place.job().reason == Reason.MODEL_UNAVAILABLE
    assert what in place.job().detail


def test_a_model_from_before_the_hash_and_before_some_keys_of_its_manifest_still_scores(place, voice):
    job_id = place.add("a.wav", voice)
    forget_hash(place.engine)
    document = dict(place.model.manifest)
    document["vad"] = {key: document["vad"][key] for key in ("mode", "frame_ms", "hangover_ms", "pre_roll_ms")}
    with place.engine.begin() as connection:
        connection.execute(text("UPDATE models SET manifest = :document"), {"document": json.dumps(document)})

    tasks.score(job_id)

    assert place.job().state == JobState.DONE


def forget_hash(engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE models SET bundle_sha256 = NULL"))


def test_a_surprise_is_tried_three_times_and_then_dead_with_its_type_alone(place, voice, monkeypatch):
    job_id = place.add("a.wav", voice)

    def surprise(*_args, **_kwargs):
        raise KeyError("ana's secret")

    monkeypatch.setattr("worker.job.score_recording", surprise)
    for _ in range(3):
        set_job(place.engine, job_id, next_run_at_s=0.0)
        tasks.score(job_id)

    job = place.job()
    assert (job.state, job.reason, job.detail, job.failures) == (JobState.DEAD, Reason.INTERNAL, "KeyError", 3)


def test_a_worker_that_lost_its_job_stops_and_writes_nothing(place, voice, monkeypatch):
    job_id = place.add("a.wav", voice)
    scored = []

    def steal_then_score(*_args, on_progress, **_kwargs):
        with place.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET lease_token = 'another worker'"))
        for _ in range(200):
            on_progress(0)
            tasks.time.sleep(0.02)
        scored.append("to the end")

    monkeypatch.setattr("worker.job.score_recording", steal_then_score)
    tasks.score(job_id)

    assert scored == []
    assert place.job().state is JobState.RUNNING  # still the other worker's
    assert results.result_of(place.engine, 1, place.model.id) is None


def test_a_worker_that_lost_its_job_just_before_it_finished_says_so_and_writes_nothing(
    place, voice, monkeypatch, caplog
):
    job_id = place.add("a.wav", voice)
    whole = job.score_recording

    def score_then_lose(*arguments, **options):
        note = whole(*arguments, **options)
        with place.engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET lease_token = 'another worker'"))
        return note

    monkeypatch.setattr("worker.job.score_recording", score_then_lose)
    monkeypatch.setattr("worker.job.Lease.check", lambda _: None)  # no heartbeat has noticed yet
    tasks.score(job_id)

    assert "lease lost" in caplog.messages
    assert results.result_of(place.engine, 1, place.model.id) is None


def test_a_database_that_is_away_when_the_outcome_is_to_be_written_leaves_the_job_to_the_sweep(place, monkeypatch):
    job_id = place.add("a.ogg", b"no audio")

    def away(*_args, **_kwargs):
        raise DatabaseError("away")

    monkeypatch.setattr("worker.tasks.ledger.fail_dead", away)
    tasks.score(job_id)

    assert place.job().state is JobState.RUNNING


def test_a_process_without_settings_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(runtime, "_configured", [])

    with pytest.raises(LookupError, match="configure"):
        runtime.current()


@pytest.mark.parametrize(("elapsed_s", "n_failures"), [(0.05, 0), (400.0, 0), (839.0, 1), (840.0, 1), (2000.0, 1)])
def test_a_job_told_to_stop_long_before_its_time_is_not_to_blame(place, voice, monkeypatch, elapsed_s, n_failures):
    place.add("a.wav", voice)
    clock_s = [0.0]

    def stop(*_args, **_kwargs):
        clock_s[0] += elapsed_s
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("worker.job.score_recording", stop)
    monkeypatch.setattr("worker.attempt.time.monotonic", lambda: clock_s[0])
    tasks.score(1)

    job = place.job()
    assert (job.state, job.reason, job.failures) == (JobState.PENDING, Reason.TIME_LIMIT, n_failures)
    assert job.transients == 1 - n_failures


def test_the_signal_to_stop_is_not_taken_for_a_broken_model(place, voice, monkeypatch):
    place.add("a.wav", voice)

    def stop(*_args, **_kwargs):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("worker.scoring.session.ort.InferenceSession", stop)
    tasks.score(1)

    assert place.job().reason == Reason.TIME_LIMIT
