"""`tonalog reprocess`, `tonalog batches` and `tonalog run --batch`: what they print, and what they answer to bad input."""

import json

import pytest
from click.testing import CliRunner
from db_samples import PLENTY, a_model, a_result, add_jobs, count, new_sqlite, take

from db import ledger, models, pump
from db.errors import BatchEnded, RowNotFound
from db.reasons import Reason
from tonalog.commands.batches import batches_command, reprocess_command
from tonalog.commands.run import run_command
from tonalog.errors import TonalogError


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Three scored recordings and one that is no audio, and a second model that is not active."""
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY", "TENANT"):
        monkeypatch.delenv(f"TONALOG_{name}", raising=False)
    engine = new_sqlite(tmp_path)
    *ids, last = add_jobs(engine, 4)
    pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
    for job_id in ids:
        ledger.finish(engine, take(engine, job_id), a_result(), wall_ms=2_000)
    ledger.fail_dead(engine, take(engine, last), Reason.NOT_AUDIO, detail="a picture")
    models.add_model(engine, a_model("2.0"))
    return engine


def call(command, *arguments):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_dry_run_shows_the_whole_plan_and_writes_nothing(engine):
    printed = call(reprocess_command, "--model", "2.0", "--dry-run")

    assert "recordings  3 (1 more can never be scored and are left out)" in printed
    assert "0.01 h" in printed
    assert "MiB of database" in printed
    assert "at 5 times real time each" in printed
    assert "3 jobs would be made for whisper3-2.0" in printed
    assert (count(engine, "batches"), count(engine, "jobs")) == (0, 4)


def test_what_was_not_measured_is_said_to_be_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    engine = new_sqlite(tmp_path)
    add_jobs(engine, 1)
    models.add_model(engine, a_model("2.0"))

    printed = call(reprocess_command, "--model", "2.0", "--dry-run")

    assert printed.count("unknown: ") == 3


def test_a_batch_is_made_held_up_and_given_up_by_commands(engine):
    assert "Batch 1: 3 jobs made" in call(reprocess_command, "--model", "2.0", "--rate", "60/h", "--paused")
    assert "paused" in call(batches_command, "list")
    with pytest.raises(TonalogError, match="tonalog batches resume 1"):
        call(run_command, "--batch", "1")
    assert "goes on" in call(batches_command, "resume", "1")
    assert "no rate" in call(batches_command, "rate", "1", "none")
    (first, _), *_ = pump.due_jobs(engine, cap_outstanding=PLENTY, limit=PLENTY)
    ledger.fail_dead(engine, take(engine, first), Reason.INTERNAL, detail="x")
    assert "2 jobs that waited have ended" in call(batches_command, "cancel", "1")

    shown = call(batches_command, "show", "1")
    assert "cancelled" in shown
    assert "INTERNAL" in shown
    told = json.loads(call(batches_command, "show", "1", "--json"))
    assert (told["state"], told["jobs"]["cancelled"], told["failed_by_reason"]) == ("CANCELLED", 2, {"INTERNAL": 1})
    assert json.loads(call(batches_command, "list", "--json"))["id"] == 1
    with pytest.raises(BatchEnded, match="was cancelled"):
        call(batches_command, "pause", "1")


def test_nothing_to_do_makes_no_batch(engine):
    call(reprocess_command, "--model", "2.0")

    assert "0 jobs made" in call(reprocess_command, "--model", "2.0")
    assert count(engine, "batches") == 1


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        (reprocess_command, ["--model", "2.0", "--sample", "0%"], "'0%' is no share of the recordings"),
        (reprocess_command, ["--model", "2.0", "--sample", "101%"], "from above 0% to 100%"),
        (reprocess_command, ["--model", "2.0", "--sample", "0.1"], "such as 1%"),
        (reprocess_command, ["--model", "2.0", "--limit", "0"], "0 is not in the range"),
        (reprocess_command, ["--model", "2.0", "--rate", "0/h"], "'0/h' is no rate"),
        (batches_command, ["rate", "1", "fast"], "'fast' is no rate; give 1/h to"),
        (run_command, [], "Give PATH_OR_S3_URL or --batch ID"),
        (run_command, ["notes", "--batch", "1"], "not both"),
        (run_command, ["--batch", "1", "--subject", "ana"], "no option about who speaks"),
    ],
)
def test_bad_input_is_answered_with_what_is_allowed(engine, command, arguments, said):
    result = CliRunner().invoke(command, arguments)

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_an_unknown_label_and_an_unknown_batch_are_answered_with_what_there_is(engine):
    with pytest.raises(TonalogError, match="anger, happiness, neutral, sadness"):
        call(reprocess_command, "--model", "2.0", "--only-label", "boredom")
    with pytest.raises(RowNotFound, match="tonalog batches list"):
        call(batches_command, "show", "9")
    assert "tonalog reprocess" in call(batches_command, "list")
