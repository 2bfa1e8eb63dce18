"""A model update: results of both versions stay, readers see the active one, nightly work is never held up."""

import json
import shutil
import sqlite3

import pytest
from command import NOTES, ROOT, Cli


def newer_bundle(folder):
    """Copy the shipped bundle under another version; the same graph, so the same scores."""
    shipped = max((ROOT / "models").glob("*/manifest.json"), key=lambda path: path.parent.name)
    copy = folder / "whisper3-9.9.9"
    shutil.copytree(shipped.parent, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["version"] = "9.9.9"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    return copy


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Three notes that were scored once, and a second model beside the first; each test works on a copy."""
    folder = tmp_path_factory.mktemp("scored")
    shutil.copytree(NOTES / "vera", folder / "notes" / "vera")
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


def test_reprocessing_keeps_the_old_results_and_readers_switch_on_activation(two_models, scored):
    assert "3 jobs would be made" in two_models("reprocess", "--model", "9.9.9", "--dry-run")
    assert "3 jobs made" in two_models("reprocess", "--model", "9.9.9")
    assert "0 jobs made" in two_models("reprocess", "--model", "9.9.9")
    assert ask(two_models, "SELECT DISTINCT lane FROM jobs WHERE state = 'PENDING'") == [("bulk",)]
    assert ask(two_models, "SELECT DISTINCT status FROM v1_note") == [("scored",)]

    refused = two_models("models", "activate", "9.9.9", code=1)
    assert "of 3 recordings" in refused
    assert "3 have none under it (3 in work)" in refused
    assert ask(two_models, "SELECT DISTINCT status FROM v1_note") == [("scored",)]

    two_models("models", "activate", "9.9.9", "--force")
    assert ask(two_models, "SELECT DISTINCT status FROM v1_note") == [("pending",)]
    two_models("run", scored / "notes")

    assert ask(two_models, "SELECT DISTINCT status, model_version FROM v1_note") == [("scored", "9.9.9")]
    assert ask(two_models, "SELECT count(*), count(DISTINCT model_id) FROM results") == [(6, 2)]


def test_reprocess_takes_a_person_and_a_span_of_days(two_models):
    assert "2 jobs would" in two_models("reprocess", "--model", "9.9.9", "--since", "2026-03-05", "--dry-run")
    assert "1 jobs would" in two_models("reprocess", "--model", "9.9.9", "--until", "2026-03-05", "--dry-run")
    assert "0 jobs would" in two_models("reprocess", "--model", "9.9.9", "--subject", "ana", "--dry-run")


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
