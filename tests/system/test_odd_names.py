"""The command over names of any kind, under any umask, and in a home that others may read."""

import json
import os
import sqlite3
import stat
from pathlib import Path

import pytest


def test_names_of_any_kind_are_scanned_shown_and_erased(cli, tmp_path):
    """A line break, a key of 1,024 bytes, and a name that is no UTF-8, which is counted and left out."""
    notes = tmp_path / "notes"
    long_key = "/".join(["f" * 249] * 4) + "/" + "k" * (1_024 - 1_000)
    for key in ("ana\nroot/line\nbreak.wav", long_key, "-x/--help"):
        (notes / key).parent.mkdir(parents=True)
        (notes / key).write_bytes(b"no audio")
    Path(os.fsdecode(os.fsencode(notes) + b"/\xff\xfe.wav")).write_bytes(b"no audio")

    assert "3 recordings: 3 failed" in cli("run", notes)
    for words in (["status"], ["dead"], ["show", long_key], ["identify", notes], ["erase", "--recording", long_key]):
        cli(*words)

    assert not (notes / long_key).exists()
    with sqlite3.connect(tmp_path / "home" / "tonalog.db") as database:
        assert database.execute("SELECT count(*) FROM recordings WHERE state = 'LIVE'").fetchone() == (2,)
        assert database.execute("SELECT count(*) FROM erasure_objects").fetchone() == (0,)


@pytest.fixture
def _no_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_no_umask")
def test_a_run_in_a_home_that_others_may_read_leaves_nothing_that_they_can(cli, tmp_path):
    home, notes = tmp_path / "home", tmp_path / "notes"
    home.mkdir()
    home.chmod(0o755)
    notes.mkdir()
    (notes / "a.wav").write_bytes(b"no audio")

    cli("run", notes)

    readable = [path.name for path in home.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert (home / "worker.log").exists()
    assert readable == []


@pytest.mark.usefixtures("_no_umask")
def test_a_home_where_everybody_may_write_ends_each_command_with_one_sentence(cli, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o777)

    (tmp_path / "notes").mkdir()
    for words in (["run", tmp_path / "notes"], ["status"], ["db", "upgrade"], ["erase", "--subject", "ana"]):
        said = cli(*words, code=1)
        assert "chmod o-w" in said
        assert "Traceback" not in said
    assert list((tmp_path / "home").iterdir()) == []


def test_a_folder_with_a_sparse_file_and_folders_without_end_is_scored_all_the_same(cli, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    with (notes / "a.wav").open("wb") as file:
        file.truncate(200 * 2**30)
    at = os.open(notes, os.O_RDONLY)
    for _ in range(300):  # pytest's own removal gives up on more
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    (notes / "z.wav").write_bytes(b"no audio")

    done = cli.ask("run", notes)

    assert "2 recordings: 2 failed" in done.stdout, done.stderr
    assert sorted(job["reason"] for job in json.loads(cli("status", "--json"))["dead"]) == ["NOT_AUDIO", "TOO_LARGE"]


def test_junk_in_the_queues_folder_of_a_home_stops_no_run(cli, tmp_path):
    queue, outside, notes = tmp_path / "home" / "queue", tmp_path / "outside.json", tmp_path / "notes"
    notes.mkdir()
    (notes / "a.wav").write_bytes(b"no audio")
    cli("status")
    outside.write_text('{"properties": {}}')
    os.mkfifo(queue / "messages" / "0_a.lane-1-nightly.msg")
    (queue / "messages" / "0_b.lane-1-nightly.msg").mkdir()
    (queue / "messages" / "0_c.lane-1-nightly.msg").symlink_to(outside)
    (queue / "messages" / "0_d.lane-1-nightly.msg").symlink_to("/dev/zero")
    with (queue / "messages" / "0_e.lane-1-nightly.msg").open("wb") as file:
        file.truncate(2**40)
    for number, text in enumerate(["7", "{}", '{"body": 1, "headers": {}, "properties": {}}', "[" * 5_000]):
        (queue / "messages" / f"0_{number}.lane-1-nightly.msg").write_text(text)
    for name in (".exchange", "celery.exchange", "celeryev.exchange", "celery.pidbox.exchange"):
        (queue / "control" / name).write_text("junk")
    os.mkfifo(queue / "control" / "lane-1-nightly.exchange")

    assert "1 recordings: 1 failed" in cli("run", notes)
    cli("doctor")

    assert "Traceback" not in (tmp_path / "home" / "worker.log").read_text()
    assert outside.read_text() == '{"properties": {}}'
