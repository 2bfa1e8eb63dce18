"""What a model does inside its graph is its own doing: the recording's job waits, and no night ends as DEAD by it.

The graphs are real. Each passes the check of its bundle, and does its harm with the first full window.
"""

import faulthandler
import os
import sys
import time

import pytest
import soundfile
from celery.exceptions import SoftTimeLimitExceeded
from db_samples import set_job

from db import history
from db.backoff import GIVE_UP_AFTER_S
from db.reasons import JobState, Lane, Outcome, Reason
from tests.unit.bomb_graphs import make_bomb
from tests.unit.sounds import RATE_HZ, make_voice
from tests.unit.test_worker_tasks import Place
from worker import solitary, tasks
from worker.model_time import ModelTime
from worker.scoring import run_limit

N_TRIES = 5  # more than failures that are counted would leave


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    """A recording with full windows."""
    file = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(file, make_voice(12.0), RATE_HZ)
    return file.read_bytes()


@pytest.fixture
def quiet():
    """No dump of this process's threads where a child of it is to crash."""
    was_enabled = faulthandler.is_enabled()
    faulthandler.disable()
    yield
    if was_enabled:
        faulthandler.enable(sys.__stderr__)


def bring(folder, kind, voice, *, lane=Lane.NIGHTLY, **settings):
    """A place whose model is a bomb, with one job in a lane."""
    place = Place(folder, graph=make_bomb(kind), **settings)
    set_job(place.engine, place.add("a.wav", voice), lane=lane)
    return place


def assert_waits(place, reason, *, n=1):
    """The job waits for the model, and nothing was counted against its recording."""
    job = place.job()
    assert (job.state, job.reason, job.failures, job.lost_count) == (JobState.PENDING, reason, 0, 0), job.detail
    assert job.transients == n


@pytest.mark.parametrize(
    ("kind", "reason", "detail"),
    [
        ("nan", Reason.BAD_SCORES, "the scores are [nan"),
        ("memory", Reason.MODEL_UNAVAILABLE, "the graph found no memory"),
        ("error", Reason.MODEL_UNAVAILABLE, "the graph failed to score a window"),
    ],
)
def test_a_graph_that_fails_at_a_window_makes_the_job_wait_however_often_it_is_tried(
    tmp_path, voice, kind, reason, detail
):
    place = bring(tmp_path, kind, voice)

    for _ in range(N_TRIES):
        set_job(place.engine, 1, next_run_at_s=0.0)
        tasks.score(1)

    assert_waits(place, reason, n=N_TRIES)
    assert place.job().detail.startswith(detail)


def test_a_graph_that_never_ends_is_ended_and_makes_the_job_wait(tmp_path, voice, monkeypatch):
    shortened = run_limit.RunLimit.__init__
    monkeypatch.setattr(run_limit.RunLimit, "__init__", lambda self, _limit_s: shortened(self, 0.5))
    place = bring(tmp_path, "loop", voice)

    tasks.score(1)

    assert_waits(place, Reason.MODEL_UNAVAILABLE)
    assert "took more than 0.5 s of processor time" in place.job().detail


def test_a_graph_that_ends_its_process_in_quarantine_makes_the_job_wait(tmp_path, voice, quiet):
    place = bring(tmp_path, "crash", voice, lane=Lane.QUARANTINE)

    for _ in range(N_TRIES):
        set_job(place.engine, 1, next_run_at_s=0.0)
        tasks.score(1)

    assert_waits(place, Reason.MODEL_UNAVAILABLE, n=N_TRIES)
    assert place.job().detail == "alone in its process, the model ended it by SIGFPE"


@pytest.mark.parametrize("kind", ["deaf", "build"])
def test_a_graph_that_hears_nothing_is_ended_by_the_heartbeat_and_makes_the_job_wait(tmp_path, voice, kind):
    place = bring(tmp_path, kind, voice, lane=Lane.QUARANTINE, max_decode_s=1.0)

    tasks.score(1)

    assert_waits(place, Reason.MODEL_UNAVAILABLE)
    assert "while the model was at work, allowed are 1.0 s" in place.job().detail
    (attempt,) = history.attempts_of(place.engine, 1)
    assert attempt.outcome == Outcome.RETRY


def test_a_decoder_that_hears_nothing_ends_its_job(tmp_path, voice, monkeypatch):
    def be_busy(*_args, **_kwargs):
        while True:
            pass

    place = bring(tmp_path, "nan", voice, lane=Lane.QUARANTINE, max_decode_s=1.0)
    monkeypatch.setattr("worker.job.score_recording", be_busy)

    tasks.score(1)

    job = place.job()
    assert (job.state, job.reason) == (JobState.DEAD, Reason.TIME_LIMIT)
    assert "without progress, allowed are 1.0 s" in job.detail


@pytest.mark.parametrize(("share", "end"), [(0.9, ("MODEL_UNAVAILABLE", 0)), (0.1, ("TIME_LIMIT", 1))])
def test_a_job_that_took_too_long_is_counted_only_if_the_model_took_less_than_half_of_it(
    tmp_path, voice, monkeypatch, share, end
):
    place = bring(tmp_path, "nan", voice)
    clock_s = [1.0]
    monkeypatch.setattr("worker.attempt.time.monotonic", lambda: clock_s[0])
    monkeypatch.setattr("worker.tasks.ModelTime", lambda: ModelTime(lambda: clock_s[0]))

    def score_slowly(*_args, around_model, **_kwargs):
        clock_s[0] += 1000.0 * (1 - share)
        with around_model():
            clock_s[0] += 1000.0 * share
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("worker.job.score_recording", score_slowly)
    tasks.score(1)

    job = place.job()
    assert (job.state, job.reason, job.failures) == (JobState.PENDING, *end)


def test_a_job_that_waited_a_day_for_its_model_gives_up_and_says_so(tmp_path, voice):
    place = bring(tmp_path, "nan", voice)
    set_job(place.engine, 1, transients=40, first_transient_at_s=time.time() - GIVE_UP_AFTER_S - 1)

    tasks.score(1)

    job = place.job()
    assert (job.state, job.reason) == (JobState.DEAD, Reason.GAVE_UP)
    assert job.detail.startswith("BAD_SCORES: the scores are")


def test_memory_that_runs_out_while_the_model_is_built_is_not_the_recordings_fault(tmp_path, voice, monkeypatch):
    def run_out(*_args, **_kwargs):
        raise MemoryError

    place = bring(tmp_path, "nan", voice)
    monkeypatch.setattr("worker.scoring.session.ort.InferenceSession", run_out)

    tasks.score(1)

    assert_waits(place, Reason.MODEL_UNAVAILABLE)


def test_whose_turn_it_was_is_known_after_the_process_is_dead(quiet):
    model_time = ModelTime()

    def die(*, in_turn):
        with model_time.spend():
            if in_turn:
                os.abort()
        os.abort()

    solitary.run_alone(lambda: die(in_turn=False))
    assert not model_time.is_running

    solitary.run_alone(lambda: die(in_turn=True))
    assert model_time.is_running


def test_the_models_turns_are_added_up():
    clock_s = [5.0]
    model_time = ModelTime(lambda: clock_s[0])
    with model_time.spend():
        clock_s[0] += 2.0
    clock_s[0] += 10.0
    assert model_time.total_s == 2.0

    def fail():
        with model_time.spend():
            clock_s[0] += 3.0
            raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        fail()

    assert (model_time.total_s, model_time.is_running) == (5.0, True)
