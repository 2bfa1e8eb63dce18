"""A suspect recording is scored in a process of its own: a death there is caused by it, any other loss is not."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import soundfile
from celery.exceptions import SoftTimeLimitExceeded
from db_samples import set_job

from db import history
from db.reasons import JobState, Lane, Outcome, Reason
from tests.unit.sounds import RATE_HZ, make_voice
from tests.unit.test_worker_tasks import Place
from worker import tasks
from worker.solitary import run_alone

WITHIN_S = 10.0


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def suspect(place, tmp_path):
    """The id of a job in quarantine."""
    soundfile.write(tmp_path / "voice.wav", make_voice(1.0), RATE_HZ)
    job_id = place.add("a.wav", (tmp_path / "voice.wav").read_bytes())
    set_job(place.engine, job_id, lane=Lane.QUARANTINE)
    return job_id


def wait_until(condition):
    deadline_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def is_there(pid):
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_itself(*_arguments, **_options):
    os.kill(os.getpid(), signal.SIGKILL)


def stay_for_ever(file):
    """Write which process this is, and never end."""
    file.with_name("part").write_text(str(os.getpid()))
    file.with_name("part").replace(file)
    while True:
        time.sleep(60.0)


def test_a_suspect_that_is_sound_is_scored(place, suspect):
    tasks.score(suspect)

    (attempt,) = history.attempts_of(place.engine, suspect)
    assert (place.job().state, attempt.outcome) == (JobState.DONE, Outcome.DONE)


def test_a_suspect_that_ends_its_process_three_times_is_dead_and_its_monitor_lives(place, suspect, monkeypatch):
    monkeypatch.setattr("worker.job.score_recording", kill_itself)

    for _ in range(3):
        set_job(place.engine, suspect, next_run_at_s=0.0)
        tasks.score(suspect)

    job = place.job()
    assert (job.state, job.reason, job.lost_count, job.failures) == (JobState.DEAD, Reason.WORKER_LOST, 0, 3)
    assert job.detail == "alone in its process, the recording ended it by SIGKILL"
    outcomes = [attempt.outcome for attempt in history.attempts_of(place.engine, suspect)]
    assert outcomes == [Outcome.RETRY, Outcome.RETRY, Outcome.DEAD]


def test_a_suspect_that_takes_too_long_ends_with_the_time_limit_and_leaves_no_process(
    place, suspect, monkeypatch, tmp_path
):
    file = tmp_path / "pid"

    def limit(*_):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("worker.tasks.run_claimed", lambda *_: stay_for_ever(file))
    before = signal.signal(signal.SIGALRM, limit)
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        tasks.score(suspect)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)

    assert (place.job().state, place.job().reason) == (JobState.PENDING, Reason.TIME_LIMIT)
    assert not is_there(int(file.read_text()))


def test_what_is_scored_alone_never_outlives_its_monitor(tmp_path):
    file = tmp_path / "pid"
    monitor = multiprocessing.get_context("fork").Process(target=run_alone, args=(lambda: stay_for_ever(file),))
    monitor.start()
    wait_until(file.exists)
    alone = int(file.read_text())
    assert is_there(alone)

    monitor.kill()
    monitor.join()

    wait_until(lambda: not is_there(alone))


def test_an_end_by_status_and_a_return_are_told_apart():
    assert run_alone(lambda: os._exit(70)) == 70
    assert run_alone(lambda: None) == 0
