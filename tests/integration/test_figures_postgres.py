"""Figures of the whole database by the scheduler's role; on a real PostgreSQL."""

import pytest
from db_samples import a_result
from roles import add_work, claim, new_roles

from db import ledger
from db.figures import read_queue, read_totals
from db.model_ends import ModelState
from db.reasons import JobState, Lane, Reason, RecordingState, ResultStatus


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


def test_the_scheduler_reads_what_waits_and_what_there_is(roles):
    done, dead, waiting = add_work(roles, 3)
    result = a_result()
    ledger.finish(roles.worker, claim(roles, done), result)
    ledger.fail_dead(roles.worker, claim(roles, dead), Reason.NOT_AUDIO, detail="no audio")

    queue = read_queue(roles.scheduler, scan_pulse="scan", nightly="nightly")
    totals = read_totals(roles.scheduler)

    assert waiting
    assert queue.lanes[Lane.NIGHTLY].n == 1
    assert queue.lanes[Lane.NIGHTLY].age_s >= 0
    assert queue.n_jobs[Lane.NIGHTLY, JobState.QUEUED] == 1
    assert queue.n_people_marked == 1
    assert (queue.n_erasures, queue.scan_at_s, queue.nightly_done_at) == (0, None, None)
    assert totals.n_ended == {(Lane.NIGHTLY, JobState.DONE): 1, (Lane.NIGHTLY, JobState.DEAD): 1}
    assert totals.n_dead == {"NOT_AUDIO": 1}
    assert totals.n_recordings == {RecordingState.LIVE: 3}
    (model,) = totals.models
    assert model.state is ModelState.ACTIVE
    assert model.n_results == {ResultStatus.SCORED: 1, ResultStatus.NO_SPEECH: 0}
    assert model.audio_ms[ResultStatus.SCORED] == result.duration_ms
