"""Every message three times, shuffled, to four processes at once, and all of them again later: never a second result."""

import multiprocessing
import random

import soundfile
from db_samples import count

from db import history
from db.reasons import JobState
from tests.chaos import invariants
from tests.chaos.rows import read_history
from tests.unit.sounds import RATE_HZ, make_voice
from tests.unit.test_worker_tasks import Place
from worker import runtime, tasks

N_JOBS, N_WORKERS, N_TIMES = 60, 4, 3


def work(messages):
    settings = runtime.current().settings
    runtime.configure(settings)  # as after Celery's fork: nothing is shared
    for job_id in messages:
        tasks.score(job_id)


def deliver(messages):
    """Deal the messages to worker processes and wait for them."""
    forked = multiprocessing.get_context("fork")
    workers = [forked.Process(target=work, args=(messages[n::N_WORKERS],)) for n in range(N_WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * N_WORKERS


def test_repeated_messages_make_neither_a_second_result_nor_a_second_attempt(tmp_path):
    place = Place(tmp_path)
    soundfile.write(tmp_path / "voice.wav", make_voice(1.0), RATE_HZ)
    voice = (tmp_path / "voice.wav").read_bytes()
    job_ids = [place.add(f"{n}.wav", voice) for n in range(N_JOBS)]
    messages = job_ids * N_TIMES
    random.Random(10).shuffle(messages)

    deliver(messages)
    first = read_history(place.engine, expected={}, erased=frozenset(), erased_keys=frozenset())
    deliver(messages)

    left = read_history(place.engine, expected={}, erased=frozenset(), erased_keys=frozenset())
    assert history.counts(place.engine).by_state == {JobState.DONE: N_JOBS}
    assert count(place.engine, "results") == N_JOBS
    assert count(place.engine, "attempts") == N_JOBS
    assert invariants.check_results_are_their_owners(left) == []
    assert left.results == first.results
