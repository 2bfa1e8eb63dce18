"""Objects that go away or change between registration and scoring; each side has its own clear end."""

import json
import shutil
import sqlite3

import pytest
from command import NOTES

GOOD = NOTES / "vera" / "2026-03-05T06-58-20Z.wav"
OTHER = NOTES / "vera" / "2026-03-06.mp3"


@pytest.fixture
def scanned(cli, tmp_path):
    """A folder whose one note has been registered but not scored."""
    note = tmp_path / "notes" / "ana" / "2026-03-01.ogg"
    note.parent.mkdir(parents=True)
    shutil.copy(GOOD, note)
    cli("db", "upgrade")
    cli("scan", tmp_path / "notes")
    return cli, note


def ask(cli, statement):
    with sqlite3.connect(cli.folder / "home" / "tonalog.db") as database:
        return database.execute(statement).fetchall()


def dead(cli):
    return [job["reason"] for job in json.loads(cli("status", "--json"))["dead"]]


def test_a_note_deleted_before_it_was_scored_is_object_missing(scanned):
    cli, note = scanned
    shutil.copy(OTHER, note.parent / "2026-03-02.mp3")
    note.unlink()

    cli("run", note.parents[1])

    assert dead(cli) == ["OBJECT_MISSING"]
    assert ask(cli, "SELECT status FROM v1_note ORDER BY recording_id") == [("failed",), ("scored",)]


def test_a_note_replaced_before_it_was_scored_is_scored_in_its_new_version_only(scanned):
    cli, note = scanned
    shutil.copy(OTHER, note)

    cli("run", note.parents[1])

    assert ask(cli, "SELECT state, reason FROM jobs ORDER BY id") == [("CANCELLED", "OBJECT_CHANGED"), ("DONE", None)]
    assert ask(cli, "SELECT status, duration_ms / 1000 FROM v1_note") == [("scored", 16)]
    assert ask(cli, "SELECT count(*) FROM results") == [(1,)]


def test_a_note_replaced_behind_the_scans_back_is_object_changed_and_its_new_version_found_later(scanned):
    cli, note = scanned
    shutil.copy(OTHER, note)
    other = note.parents[2] / "elsewhere" / "ben" / "2026-03-02.wav"
    other.parent.mkdir(parents=True)
    shutil.copy(GOOD, other)

    cli("run", other.parents[1])  # works on every job, but scans only its own folder

    assert dead(cli) == ["OBJECT_CHANGED"]
    cli("run", note.parents[1])
    assert ask(cli, "SELECT status FROM v1_note WHERE subject = 'ana'") == [("scored",)]
