"""A worker in the middle of a recording that is erased: it writes nothing, and says no name."""

import logging

import pytest
from db_samples import count, dump

from db import erasures, history
from db.erasures import Chosen
from db.reasons import ErasureScope, JobState, Outcome
from scheduler.erasing import carry_out
from storage.local import LocalStore
from tests.unit.test_worker_tasks import Place, voice  # noqa: F401 - a fixture
from worker import runtime, tasks

CANARY_KEY = "canary-note.wav"


class ErasingStore(LocalStore):
    """A folder in which a recording is erased just before or just after a worker has read it."""

    def __init__(self, root, erase, *, is_before):
        super().__init__(root)
        self._erase = erase
        self._is_before = is_before

    def open(self, key, **version):
        if self._is_before:
            self._erase()
        opened = super().open(key, **version)
        if not self._is_before:
            self._erase()
        return opened


@pytest.mark.parametrize("is_before", [True, False], ids=["before it is read", "after it was read"])
def test_a_recording_erased_while_it_is_scored_gets_no_result(tmp_path, voice, caplog, is_before):  # noqa: F811
    caplog.set_level(logging.DEBUG)
    place = Place(tmp_path)
    job_id = place.add(CANARY_KEY, voice)

    def erase():
        erasures.begin(place.engine, Chosen(recording_id=1), scope=ErasureScope.ALL)
        carry_out(place.engine, lambda *_: LocalStore(place.notes))

    here = runtime.current()
    here._stores["local", str(place.notes.resolve())] = ErasingStore(place.notes, erase, is_before=is_before)

    tasks.score(job_id)
    tasks.score(job_id)  # the message comes again

    assert (count(place.engine, "results"), count(place.engine, "segments")) == (0, 0)
    (job,) = history.jobs_of(place.engine, 1)
    assert (job.state, job.reason, job.attempts) == (JobState.CANCELLED, "ERASED", 1)
    assert [attempt.outcome for attempt in history.attempts_of(place.engine, job_id)] == [Outcome.ERASED]
    assert list(place.notes.iterdir()) == []
    assert "canary" not in dump(place.engine) + caplog.text
