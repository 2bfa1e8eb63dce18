"""What is told of one attempt: one line with ids, state, times and model; no score, no label, no key, no name."""

import logging

import pytest
import soundfile
from command import wait_until
from db_samples import set_job

from db.reasons import Lane
from db.schema import EMOTIONS
from telemetry import metrics, sample_pipe, samples
from tests.unit.sounds import RATE_HZ, make_voice
from tests.unit.test_worker_tasks import Place
from worker import tasks

OURS = ("worker.attempt", "worker.tasks", "worker.failures", "worker.job")
NAME = "annabelle-2026-03-02.wav"


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    file = tmp_path_factory.mktemp("voice") / "voice.wav"
    soundfile.write(file, make_voice(12.0), RATE_HZ)
    return file.read_bytes()


@pytest.fixture
def told():
    """The samples that are handed on."""
    kept = []
    samples.send_by(kept.append)
    yield kept
    samples.send_by(None)


def lines(caplog):
    standard = set(vars(logging.makeLogRecord({})))
    ours = [record for record in caplog.records if record.name in OURS]
    return [
        (record.levelname, record.getMessage(), {k: v for k, v in vars(record).items() if k not in standard})
        for record in ours
    ]


def test_a_recording_that_was_scored_has_one_line_and_one_sample(place, voice, caplog, told):
    caplog.set_level("INFO")
    tasks.score(place.add(NAME, voice))

    ((level, event, fields),) = lines(caplog)
    (sample,) = told
    assert (level, event) == ("INFO", "recording done")
    assert {name: fields[name] for name in ("job_id", "recording_id", "attempt", "lane", "state", "status")} == {
        "job_id": 1,
        "recording_id": 1,
        "attempt": 1,
        "lane": "nightly",
        "state": "DONE",
        "status": "SCORED",
    }
    assert fields["model"] == sample.model == "tiny-0.0.1"
    assert set(sample.stages) == {*metrics.STAGES}
    assert sum(sample.stages.values()) == pytest.approx(sample.wall_s, abs=0.5)
    assert sample.audio_s == 12.0
    said = f"{fields} {sample}"
    assert not [word for word in (*EMOTIONS, "annabelle", str(place.notes), "score_") if word in said]


def test_a_recording_that_failed_has_one_line_with_its_reason_and_the_end_of_its_job(place, caplog, told):
    caplog.set_level("INFO")
    tasks.score(place.add(NAME, b"Dear diary"))

    ((level, event, fields),) = lines(caplog)
    assert (level, event, fields["state"], fields["reason"]) == ("WARNING", "attempt failed", "DEAD", "NOT_AUDIO")
    assert [(sample.outcome, sample.reason, sample.audio_s) for sample in told] == [("DEAD", "NOT_AUDIO", 0.0)]
    assert "annabelle" not in f"{fields} {told}"
    assert "diary" not in f"{fields} {told}"


def test_the_third_failure_is_told_as_the_end_of_the_job(place, voice, monkeypatch, told):
    job_id = place.add(NAME, voice)

    def fail(*_args, **_kwargs):
        raise ValueError("canary")

    monkeypatch.setattr("worker.job.score_recording", fail)
    for _ in range(3):
        set_job(place.engine, job_id, next_run_at_s=0.0)
        tasks.score(job_id)

    assert [sample.outcome for sample in told] == ["RETRY", "RETRY", "DEAD"]
    assert "canary" not in f"{told}"


def test_a_suspect_that_is_scored_in_a_process_of_its_own_is_told_once(place, voice):
    job_id = place.add(NAME, voice)
    set_job(place.engine, job_id, lane=Lane.QUARANTINE)
    pipe = sample_pipe.SamplePipe(
        sample_pipe.Words(lanes={"quarantine"}, outcomes={"DONE"}, reasons=set(), statuses={"SCORED"})
    )
    samples.send_by(pipe.send)
    try:
        tasks.score(job_id)
    finally:
        samples.send_by(None)
    pipe.start()

    name, labels = "tonalog_attempts_total", {"lane": "quarantine", "outcome": "DONE", "reason": "none"}
    assert wait_until(lambda: metrics.WORKER.get_sample_value(name, labels) == 1.0, timeout_s=10, every_s=0.02)


def test_a_message_for_a_job_that_is_taken_leaves_no_line(place, voice, caplog):
    caplog.set_level("INFO")
    job_id = place.add(NAME, voice)
    for _ in range(3):
        tasks.score(job_id)

    assert len(lines(caplog)) == 1
