"""A model update on the embedded default: a batch that is killed twice while a nightly note arrives; then switch, and back."""

import json
import os
import shutil
import sqlite3

import numpy as np
import pytest
import soundfile
from command import NOTES, ROOT, Cli, kill_tree, wait_until

N_NOTES = 16
SHIPPED = max((ROOT / "models").glob("*/manifest.json"), key=lambda path: path.parent.name).parent.name.rpartition("-")[
    2
]


def newer_bundle(folder):
    """Copy the shipped bundle under another version; the same graph, so the same scores."""
    shipped = max((ROOT / "models").glob("*/manifest.json"), key=lambda path: path.parent.name)
    copy = folder / "whisper3-9.9.9"
    shutil.copytree(shipped.parent, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["version"] = "9.9.9"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


def write_short(file):
    """Write three seconds of a note around its loudest moment."""
    signal, rate_hz = soundfile.read(NOTES / "vera" / "2026-03-05T06-58-20Z.wav")
    start = max(0, int(np.argmax(np.abs(signal))) - 2 * rate_hz)
    soundfile.write(file, signal[start : start + 3 * rate_hz], rate_hz)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Sixteen notes that were scored once, and a second model beside the first; each test works on a copy."""
    folder = tmp_path_factory.mktemp("scored")
    shutil.copytree(NOTES / "vera", folder / "notes" / "vera")
    (folder / "notes" / "ben").mkdir()
    write_short(folder / "short.wav")
    for number in range(N_NOTES - 4):
        os.link(folder / "short.wav", folder / "notes" / "ben" / f"2026-04-{number % 28 + 1:02}T07-{number:02}-00Z.wav")
    (folder / "notes" / "ben" / "2026-05-01T07-00-00Z.wav").write_bytes(b"no audio at all")
    cli = Cli(folder)
    cli("run", folder / "notes")
    cli("models", "add", newer_bundle(folder))
    return folder


@pytest.fixture
def two_models(cli, scored):
    shutil.copytree(scored / "home", cli.folder / "home")
    return cli


def ask(cli, statement):
    with sqlite3.connect(cli.folder / "home" / "tonalog.db") as database:
        return database.execute(statement).fetchall()


def nightly_note(folder):
    (folder / "nightly" / "luca").mkdir(parents=True, exist_ok=True)
    write_short(folder / "nightly" / "luca" / "2026-05-02T07-00-00Z.wav")
    return folder / "nightly"


def n_open(cli):
    return ask(cli, "SELECT count(*) FROM jobs WHERE batch_id = 1 AND finished_at IS NULL")[0][0]


def kill_once_it_works(cli, n_done):
    """Start a batch, kill the command with its worker at once when so many of its jobs have a result."""
    run = cli.start("run", "--batch", "1", "--jobs", "1", log="run.log")
    try:
        done = "SELECT count(*) FROM jobs WHERE batch_id = 1 AND state = 'DONE'"
        assert wait_until(lambda: ask(cli, done)[0][0] >= n_done, timeout_s=120, every_s=0.02), cli.worker_log()
    finally:
        kill_tree(run)


def test_a_batch_that_is_killed_twice_scores_everything_once_and_readers_switch_and_switch_back(two_models, scored):
    cli = two_models
    planned = cli("reprocess", "--model", "9.9.9", "--dry-run")
    assert f"{N_NOTES - 1} jobs would be made" in planned
    assert "1 more can never be scored" in planned
    assert "times real time" in planned
    assert ask(cli, "SELECT count(*) FROM batches") == [(0,)]
    assert f"Batch 1: {N_NOTES - 1} jobs made" in cli("reprocess", "--model", "9.9.9")
    assert "in work" in cli("models", "activate", "9.9.9", code=1)

    cli.variables.update(TONALOG_LEASE_S="2", TONALOG_HEARTBEAT_S="0.5")
    kill_once_it_works(cli, 2)
    assert "1 new" in cli("scan", nightly_note(scored))
    kill_once_it_works(cli, 5)
    assert ask(cli, f"SELECT state FROM jobs WHERE lane = 'nightly' AND recording_id > {N_NOTES}") == [("DONE",)]
    assert n_open(cli) > 0, "the batch was over, so nothing was shown"
    assert "done" in cli("run", "--batch", 1)

    assert n_open(cli) == 0
    assert ask(cli, "SELECT count(*) FROM results WHERE model_id = 2") == [(N_NOTES - 1,)]
    assert ask(cli, "SELECT DISTINCT model_version FROM v1_note WHERE status = 'scored'") == [(SHIPPED,)]
    assert "1 without a job" in cli("models", "activate", "9.9.9", code=1)  # what came meanwhile
    cli("reprocess", "--model", "9.9.9")
    cli("run", "--batch", 2)
    cli("models", "activate", "9.9.9")
    assert ask(cli, "SELECT DISTINCT status, model_version FROM v1_note WHERE reason IS NULL") == [("scored", "9.9.9")]
    assert ask(cli, "SELECT status, reason FROM v1_note WHERE reason IS NOT NULL") == [("failed", "NOT_AUDIO")]
    cli("models", "activate", SHIPPED)
    assert ask(cli, "SELECT DISTINCT model_version FROM v1_note WHERE status = 'scored'") == [(SHIPPED,)]


def test_an_unknown_model_is_answered_with_what_there_is(two_models):
    assert "9.9.9" in two_models("reprocess", "--model", "7.7.7", code=1)


def test_a_changed_bundle_under_a_known_version_is_refused(two_models, scored, tmp_path):
    changed = tmp_path / "changed"
    shutil.copytree(scored / "whisper3-9.9.9", changed)
    manifest = json.loads((changed / "manifest.json").read_text())
    manifest["uncertain_below"] = 0.99
    (changed / "manifest.json").write_text(json.dumps(manifest))

    assert "new version" in two_models("models", "add", changed, code=1)


def test_models_list_marks_the_active_one(two_models):
    printed = two_models("models", "list")

    assert "9.9.9" in printed
    assert "*" in printed
