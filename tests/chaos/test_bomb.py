"""A model that crashes with some recordings ends no night: they wait for it, and the others are scored."""

import pytest
import soundfile

from db import history, models
from db.reasons import JobState, Lane, Reason
from scheduler.app import make_app
from scheduler.service import Service
from tests.chaos.backends import BACKENDS
from tests.chaos.stage import staged
from tests.unit.bomb_graphs import make_bomb
from tests.unit.bundles import write_bundle
from tests.unit.sounds import RATE_HZ, make_voice
from tonalog.session import register_bundle

LIMIT_S = 180.0
N_TRIES = 4  # more than counted failures would leave
CHANGES = {"TONALOG_LEASE_S": "2", "TONALOG_HEARTBEAT_S": "0.5", "TONALOG_SWEEP_S": "0.5"}
LENGTHS_S = {"short-1": 1.0, "long-1": 9.0, "short-2": 1.5, "long-2": 12.0}


@pytest.mark.long
def test_a_model_that_crashes_with_long_recordings_ends_no_job_and_the_short_ones_are_scored(tmp_path):
    with staged(BACKENDS["files-sqlite"], tmp_path, seed=29, n_workers=1, changes=CHANGES) as stage:
        bomb = register_bundle(stage.engine, write_bundle(tmp_path / "bomb-1", make_bomb("crash"), name="bomb"))
        models.activate(stage.engine, bomb.id)
        for name, length_s in LENGTHS_S.items():
            soundfile.write(tmp_path / "notes" / f"{name}.wav", make_voice(length_s), RATE_HZ)
        Service(stage.settings, make_app(stage.settings)).scan_and_queue()
        stage.start()

        def tried():
            return [job for job in read_jobs(stage) if job.state is not JobState.DONE and job.transients >= N_TRIES]

        took_s = stage.wait_until(lambda: len(tried()) == 2, limit_s=LIMIT_S, tick=stage.tick)
        left = read_jobs(stage)

    assert took_s is not None, left
    assert [job.state for job in left].count(JobState.DONE) == 2
    waiting = [job for job in left if job.state is not JobState.DONE]
    assert [job.failures for job in waiting] == [0, 0]
    assert {(job.lane, job.lost_count) for job in waiting} == {(Lane.QUARANTINE, 3)}
    assert {job.reason for job in waiting} == {Reason.MODEL_UNAVAILABLE}


def read_jobs(stage):
    return [job for number in stage.job_ids() for job in history.jobs_of(stage.engine, number)]
