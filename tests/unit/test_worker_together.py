"""Jobs of one message: each keeps its own end, whatever befalls its neighbours, and each result is there exactly once."""

import io
import os
import shutil
import signal

import pytest
import soundfile
from celery.exceptions import SoftTimeLimitExceeded
from db_samples import count, job_row, set_job
from sqlalchemy import text

from db import erasures, history, leases, pump, results
from db.erasures import Chosen
from db.errors import DatabaseUnavailable
from db.reasons import ErasureScope, JobState, Lane, Outcome, Reason
from tests.unit.sounds import RATE_HZ, make_voice
from tests.unit.test_worker_tasks import Place
from worker import job, runtime, solitary, tasks


def make_note(seconds):
    file = io.BytesIO()
    soundfile.write(file, make_voice(seconds), RATE_HZ, format="WAV")
    return file.getvalue()


@pytest.fixture(scope="module")
def notes():
    """Four recordings with speech, each of another length."""
    return [make_note(seconds) for seconds in (2.0, 3.0, 4.0, 5.0)]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def add_all(place, contents):
    return [place.add(f"{number}.wav", content) for number, content in enumerate(contents)]


def states(place, ids):
    return [job_row(place.engine, job_id)["state"] for job_id in ids]


def stored(place, job_id):
    return results.result_of(place.engine, job_row(place.engine, job_id)["recording_id"], place.model.id)


def before(monkeypatch, number, act):
    """Do something just before the n-th recording is scored, from 0."""
    whole, n_scored = job.score_recording, []

    def score(*arguments, **options):
        n_scored.append(1)
        if len(n_scored) == number + 1:
            act(options)
        return whole(*arguments, **options)

    monkeypatch.setattr("worker.job.score_recording", score)


def test_recordings_that_are_scored_together_have_the_results_that_they_have_alone(tmp_path, notes):
    folders = [tmp_path / name for name in ("alone", "together")]
    found = []
    for folder, is_together in zip(folders, (False, True), strict=True):
        folder.mkdir()
        place = Place(folder)
        ids = add_all(place, notes)
        if is_together:
            tasks.score(*ids)
        else:
            for job_id in ids:
                tasks.score(job_id)
        assert states(place, ids) == [JobState.DONE] * 4
        found.append([stored(place, job_id) for job_id in ids])

    for alone, together in zip(*found, strict=True):
        for name in ("scores", "segments", "duration_ms", "speech_ms", "audio_sha256", "voice", "trend"):
            assert getattr(alone, name) == getattr(together, name), name
    assert len({result.duration_ms for result in found[1]}) == 4


def test_what_is_no_audio_or_not_there_ends_by_itself_between_neighbours_that_are_done(place, notes):
    ids = add_all(place, [notes[0], b"Dear diary", notes[1], notes[2], notes[3]])
    (place.notes / "3.wav").unlink()

    tasks.score(*ids)

    done, dead = JobState.DONE, JobState.DEAD
    assert states(place, ids) == [done, dead, done, dead, done]
    reasons = [job_row(place.engine, job_id)["reason"] for job_id in ids]
    assert reasons == [None, Reason.NOT_AUDIO, None, Reason.OBJECT_MISSING, None]
    assert [stored(place, job_id).duration_ms for job_id in (ids[0], ids[2], ids[4])] == [2_000, 3_000, 5_000]


def test_no_recording_is_scored_in_the_place_of_one_whose_model_failed_to_load(place, notes, monkeypatch):
    ids = add_all(place, notes)
    whole, n_asked = runtime.Runtime.scorer_of, []

    def fail_once(here, model):
        n_asked.append(1)
        if len(n_asked) == 2:
            raise MemoryError
        return whole(here, model)

    monkeypatch.setattr(runtime.Runtime, "scorer_of", fail_once)
    tasks.score(*ids)

    assert states(place, ids) == [JobState.DONE, JobState.PENDING, JobState.DONE, JobState.DONE]
    assert [stored(place, job_id).duration_ms for job_id in (ids[0], *ids[2:])] == [2_000, 4_000, 5_000]


def test_a_bundle_that_is_not_there_makes_all_of_them_wait(place, notes):
    ids = add_all(place, notes)
    shutil.rmtree(place.bundle)

    tasks.score(*ids)

    rows = [job_row(place.engine, job_id) for job_id in ids]
    assert {(row["state"], row["reason"], row["failures"]) for row in rows} == {
        (JobState.PENDING, Reason.MODEL_UNAVAILABLE, 0)
    }


def test_a_job_that_another_worker_took_and_one_that_was_erased_get_nothing_and_the_others_their_results(
    place, notes, monkeypatch, caplog
):
    ids = add_all(place, notes)

    def lose_and_erase(_options):
        set_job(place.engine, ids[0], lease_token="another worker's")  # scored, and not written yet
        erasures.begin(place.engine, Chosen(recording_id=2), scope=ErasureScope.ALL)

    before(monkeypatch, 2, lose_and_erase)
    tasks.score(*ids)

    assert states(place, ids) == [JobState.RUNNING, JobState.CANCELLED, JobState.DONE, JobState.DONE]
    assert count(place.engine, "results") == 2
    assert caplog.messages.count("lease lost") == 2


def test_a_heartbeat_that_finds_one_job_in_other_hands_stops_that_one_only(place, notes, monkeypatch):
    ids = add_all(place, notes)

    def lose(options):
        set_job(place.engine, ids[1], lease_token="another worker's")
        while True:
            options["on_progress"](0)

    before(monkeypatch, 1, lose)
    tasks.score(*ids)

    assert states(place, ids) == [JobState.DONE, JobState.RUNNING, JobState.DONE, JobState.DONE]


def test_a_result_that_the_database_refuses_waits_and_the_others_are_written(place, notes, monkeypatch):
    ids = add_all(place, notes)
    whole = job.to_result

    def spoil(note, **options):
        result = whole(note, **options)
        scores = {**result.scores, "envy": 0.5} if result.duration_ms == 3_000 else result.scores
        return type(result)(**{**vars(result), "scores": scores})

    monkeypatch.setattr("worker.job.to_result", spoil)
    tasks.score(*ids)

    assert states(place, ids) == [JobState.DONE, JobState.PENDING, JobState.DONE, JobState.DONE]
    assert job_row(place.engine, ids[1])["reason"] == Reason.BAD_SCORES


def test_a_process_that_is_told_to_stop_writes_what_is_scored_and_hands_back_what_is_not_begun(
    place, notes, monkeypatch
):
    ids = add_all(place, notes)

    def stop(_options):
        raise SoftTimeLimitExceeded

    before(monkeypatch, 1, stop)
    tasks.score(*ids)

    assert states(place, ids) == [JobState.DONE, JobState.PENDING, JobState.PENDING, JobState.PENDING]
    outcomes = [history.attempts_of(place.engine, job_id)[0].outcome for job_id in ids]
    assert outcomes == [Outcome.DONE, Outcome.RETRY, Outcome.RELEASED, Outcome.RELEASED]
    rows = [job_row(place.engine, job_id) for job_id in ids[2:]]
    assert {(row["failures"], row["transients"], row["lost_count"]) for row in rows} == {(0, 0, 0)}


def test_no_job_is_begun_so_late_that_it_would_have_less_time_than_alone(tmp_path, notes):
    place = Place(tmp_path, soft_time_limit_s=1, time_limit_s=2)
    ids = add_all(place, notes)
    suspect = place.add("suspect.wav", notes[0])
    set_job(place.engine, suspect, failures=1)
    slow = runtime.current().scorer_of

    def load_slowly(model):
        tasks.time.sleep(0.06)
        return slow(model)

    runtime.current().scorer_of = load_slowly
    tasks.score(*ids, suspect)

    assert states(place, [*ids, suspect]) == [JobState.DONE, *[JobState.PENDING] * 4]
    assert len(pump.due_jobs(place.engine, cap_outstanding=100, limit=100)) == 4  # at once


@pytest.mark.parametrize("end", ["killed", "stuck"])
def test_after_a_death_in_the_middle_every_recording_gets_its_one_result(tmp_path, notes, monkeypatch, end):
    place = Place(tmp_path, max_decode_s=0.3)
    ids = add_all(place, notes)

    def die(_options):
        if end == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        while True:
            pass

    with monkeypatch.context() as patch:
        before(patch, 1, die)
        place.engine.dispose()
        status = solitary.run_alone(lambda: tasks.score(*ids))
    died = states(place, ids)
    with place.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET lease_until_s = 1.0 WHERE state = 'RUNNING'"))
    leases.expire_leases(place.engine)
    tasks.score(*ids)

    if end == "killed":
        assert (status, died) == (-signal.SIGKILL, [JobState.RUNNING] * 4)
        assert states(place, ids) == [JobState.DONE] * 4
    else:  # what is stuck was seen: it ends, and its neighbours are not even lost once
        assert (status, died) == (70, [JobState.DONE, JobState.DEAD, JobState.PENDING, JobState.PENDING])
        assert states(place, ids) == [JobState.DONE, JobState.DEAD, JobState.DONE, JobState.DONE]
        assert {job_row(place.engine, job_id)["lost_count"] for job_id in ids} == {0}
    n_done = states(place, ids).count(JobState.DONE)
    assert (count(place.engine, "results"), count(place.engine, "segments")) == (n_done, n_done)


def test_a_database_that_is_away_when_the_results_are_to_be_written_leaves_the_jobs_to_the_sweep(
    place, notes, monkeypatch
):
    ids = add_all(place, notes)

    def away(*_args, **_kwargs):
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr("worker.scored.ledger.finish_together", away)
        patch.setattr("worker.failures.retry_later", away)
        tasks.score(*ids)

    assert states(place, ids) == [JobState.RUNNING] * 4
    assert count(place.engine, "results") == 0


def test_a_message_that_comes_again_makes_no_second_result_and_no_second_attempt(place, notes):
    ids = add_all(place, notes)

    for _ in range(2):
        tasks.score(*ids)

    assert [len(history.attempts_of(place.engine, job_id)) for job_id in ids] == [1] * 4


def test_what_is_left_of_a_message_of_bulk_jobs_makes_room_for_a_nightly_job(place, notes, monkeypatch):
    ids = add_all(place, notes)
    for job_id in ids:
        set_job(place.engine, job_id, lane=Lane.BULK)
    night = place.add("night.wav", notes[0])
    set_job(place.engine, night, state=JobState.PENDING, queued_at_s=None)
    monkeypatch.setattr("worker.together.LOOK_EVERY_S", 0.0)

    before(monkeypatch, 1, lambda _: set_job(place.engine, night, state=JobState.QUEUED))
    tasks.score(*ids)
    handed_back = states(place, ids)
    tasks.score(night)
    tasks.score(*ids)

    assert handed_back == [JobState.DONE, JobState.DONE, JobState.PENDING, JobState.PENDING]
    assert states(place, [night, *ids]) == [JobState.DONE] * 5
    assert [attempt.outcome for attempt in history.attempts_of(place.engine, ids[2])] == [
        Outcome.RELEASED,
        Outcome.DONE,
    ]


def test_nightly_jobs_of_one_message_make_room_for_nobody(place, notes, monkeypatch):
    ids = add_all(place, notes)
    other = place.add("night.wav", notes[0])
    monkeypatch.setattr("worker.together.LOOK_EVERY_S", 0.0)

    tasks.score(*ids)

    assert states(place, [*ids, other]) == [JobState.DONE] * 4 + [JobState.QUEUED]
