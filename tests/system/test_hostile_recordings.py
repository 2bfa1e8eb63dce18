"""Recordings that want all memory or all time, in a real pool: each ends with its reason, its neighbours are done."""

import shutil
import sqlite3

import pytest
from command import NOTES

from tests.hostile.bombs import make_alac_bomb, make_endless_webm

GOOD = (NOTES / "vera" / "2026-03-05T06-58-20Z.wav", NOTES / "vera" / "2026-03-06.mp3")

# FFmpeg walks a MiB in 10 ms on a fast machine: this many keep it busy for about twice the time that it gets here.
ENDLESS_MIB = 300


@pytest.fixture
def notes(tmp_path):
    """A folder of good notes between bad ones: by name, which is the order of service."""
    folder = tmp_path / "notes" / "ana"
    folder.mkdir(parents=True)
    (folder / "2026-03-01.m4a").write_bytes(make_alac_bomb())
    shutil.copy(GOOD[0], folder / "2026-03-02.wav")
    (folder / "2026-03-03.webm").write_bytes(make_endless_webm(ENDLESS_MIB))
    (folder / "2026-03-04.m4a").write_bytes(make_alac_bomb())
    shutil.copy(GOOD[1], folder / "2026-03-05.mp3")
    yield folder
    (folder / "2026-03-03.webm").unlink()  # pytest keeps folders; this file is large


def ends(cli):
    with sqlite3.connect(cli.folder / "home" / "tonalog.db") as database:
        rows = database.execute(
            "SELECT r.key, j.state, j.reason, j.attempts, j.detail FROM jobs j JOIN recordings r ON r.id = j.recording_id"
        ).fetchall()
    return {key.rpartition("/")[2]: tuple(row) for key, *row in rows}


def test_a_recording_that_wants_all_memory_or_all_time_ends_with_its_reason_and_its_neighbours_are_done(cli, notes):
    cli.variables.update(
        TONALOG_CHILD_MEMORY_MB="200",  # the ALAC header asks for 300; where it gets them it is a DECODE_ERROR
        TONALOG_MAX_DECODE_S="2",
        TONALOG_MAX_SIZE_MB=str(ENDLESS_MIB + 1),
        TONALOG_HEARTBEAT_S="0.5",
        TONALOG_BACKOFF_S="0.1",
        TONALOG_SWEEP_S="0.5",
    )

    cli("run", notes.parent, "--jobs", "2", timeout=280)

    ended = ends(cli)
    assert {name: row[:3] for name, row in ended.items()} == {
        "2026-03-01.m4a": ("DEAD", "MEMORY", 3),
        "2026-03-02.wav": ("DONE", None, 1),
        "2026-03-03.webm": ("DEAD", "TIME_LIMIT", 1),
        "2026-03-04.m4a": ("DEAD", "MEMORY", 3),
        "2026-03-05.mp3": ("DONE", None, 1),
    }
    assert "without progress, allowed are 2" in ended["2026-03-03.webm"][3]
