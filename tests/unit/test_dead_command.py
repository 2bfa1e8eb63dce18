"""`tonalog dead`: every dead job with what a person needs to decide about it, and nothing else."""

import json

import pytest
from click.testing import CliRunner
from db_samples import a_recording, add_jobs, new_sqlite, take
from sqlalchemy import update

from db import ledger, recordings
from db.reasons import Reason
from db.schema import recordings as recordings_table
from tonalog.cli import cli


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    return new_sqlite(tmp_path)


def die(engine, job_id, reason, detail):
    ledger.fail_dead(engine, take(engine, job_id), reason, detail=detail)


def ask(*arguments):
    done = CliRunner().invoke(cli, ["dead", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_each_dead_job_is_listed_with_recording_model_reason_message_attempts_and_time(engine):
    job_ids = add_jobs(engine, 3)
    die(engine, job_ids[1], Reason.NOT_AUDIO, "starts with '[b]Dear'")

    (dead,) = json.loads(ask("--json"))
    printed = ask()

    assert (dead["job_id"], dead["key"], dead["model"]) == (job_ids[1], "anna/0001.wav", "whisper3-1.0")
    assert (dead["reason"], dead["detail"], dead["attempts"]) == ("NOT_AUDIO", "starts with '[b]Dear'", 1)
    for word in ("anna/0001.wav", "whisper3-1.0", "NOT_AUDIO", "starts with '[b]Dear'", dead["finished_at"][:10]):
        assert word in printed


def test_the_list_can_be_narrowed_to_one_reason(engine):
    job_ids = add_jobs(engine, 2)
    for job_id, reason in zip(job_ids, (Reason.MEMORY, Reason.TRUNCATED), strict=True):
        die(engine, job_id, reason, "x")

    assert [dead["job_id"] for dead in json.loads(ask("--json", "--reason", "TRUNCATED"))] == [job_ids[1]]
    assert "MEMORY" not in ask("--reason", "TRUNCATED")


@pytest.mark.parametrize(("limit", "is_said"), [("1", True), ("2", False)])
def test_a_list_that_is_cut_off_says_so(engine, limit, is_said):
    for job_id in add_jobs(engine, 2):
        die(engine, job_id, Reason.MEMORY, "x")

    assert len(json.loads(ask("--json", "--limit", limit))) == int(limit)
    assert ("There are more" in ask("--limit", limit)) is is_said


def test_a_recording_that_was_replaced_is_marked_because_retry_will_not_touch_it(engine):
    (job_id,) = add_jobs(engine, 1)
    die(engine, job_id, Reason.NOT_AUDIO, "x")
    recordings.register(engine, [a_recording("anna/0000.wav", "v2", subject="anna")])

    assert json.loads(ask("--json"))[0]["is_live"] is False
    assert "replaced" in ask()


@pytest.mark.parametrize("command", ["dead", "status", "show 1"])
def test_a_key_cannot_command_the_terminal(engine, command):
    (job_id,) = add_jobs(engine, 1)
    die(engine, job_id, Reason.NOT_AUDIO, "starts with '\x1b]0;[b]'")
    rename(engine, "anna/\x1b[2Jempty.wav")

    done = CliRunner().invoke(cli, command.split(), catch_exceptions=False)

    assert "anna/\\x1b[2Jempty.wav" in done.output
    assert "\x1b" not in done.output
    assert "[b]" in done.output


def test_without_dead_jobs_the_list_is_empty_and_says_so(engine):
    assert json.loads(ask("--json")) == []
    assert ask() == "No dead jobs.\n"


def rename(engine, key):
    """Give the one recording a key that no well-meaning uploader would choose."""
    with engine.begin() as connection:
        connection.execute(update(recordings_table).values(key=key))
