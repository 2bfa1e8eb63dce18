"""Backup and restore on SQLite: whole or refused, and who was erased after a backup does not come back."""

import shutil
import sqlite3
import threading

import pytest
from click.testing import CliRunner
from db_samples import a_recording, a_result, add_jobs, count, new_sqlite, people_of, take

from config.settings import Settings
from db import ledger, recordings
from db.backup import list_erased
from db.engine import make_engine
from db.erasures import Chosen, begin
from db.errors import DatabaseError
from db.reasons import ErasureScope
from tonalog.backups import finish_erasures, make_backup, read_erased, restore_backup, write_erased
from tonalog.cli import cli
from tonalog.errors import TonalogError


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "first").mkdir()
    engine = new_sqlite(tmp_path / "first", n_pooled=None)
    recordings.register(engine, [a_recording("ben/0.wav", subject="ben")])
    for job_id in add_jobs(engine, 3):
        ledger.finish(engine, take(engine, job_id), a_result())
    return engine


@pytest.fixture
def empty(tmp_path):
    (tmp_path / "second").mkdir()
    return make_engine(tmp_path / "second" / "tonalog.db")


def erase(engine, subject):
    begin(engine, Chosen(subject=subject), scope=ErasureScope.ALL)


def test_a_backup_made_while_others_write_is_whole_and_brings_everything_back(engine, empty, tmp_path):
    file = tmp_path / "monday.backup"
    is_over = threading.Event()

    def register_more():
        n = 0
        while not is_over.is_set():
            recordings.register(engine, [a_recording(f"cleo/{n}.wav", subject="cleo")])
            n += 1

    writer = threading.Thread(target=register_more)
    writer.start()
    try:
        n_bytes = make_backup(engine, file)
    finally:
        is_over.set()
        writer.join()

    assert n_bytes == file.stat().st_size
    assert file.stat().st_mode & 0o777 == 0o600
    assert restore_backup(empty, file, erased=None, may_replace=False) == 0
    assert people_of(empty)["anna"] == people_of(engine)["anna"]
    assert count(empty, "results") == 3
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".tonalog")] == []


def test_who_was_erased_after_the_backup_is_erased_again(engine, empty, tmp_path):
    make_backup(engine, tmp_path / "backup")
    erase(engine, "anna")
    assert write_erased(engine, tmp_path / "erased.jsonl") == 3
    assert "anna" not in (tmp_path / "erased.jsonl").read_text()

    assert restore_backup(empty, tmp_path / "backup", erased=tmp_path / "erased.jsonl", may_replace=False) == 3

    assert people_of(empty) == {"ben": 1}
    assert count(empty, "results") == 0
    (tmp_path / "notes").mkdir()
    assert count(empty, "erasure_objects") == 3  # whatever is in storage under their keys goes too
    assert list(list_erased(empty)) == list(read_erased(tmp_path / "erased.jsonl"))


def test_a_list_of_another_history_erases_nobody_else(engine, empty, tmp_path):
    make_backup(engine, tmp_path / "backup")
    (tmp_path / "erased.jsonl").write_text('{"recording": 2, "registered_at": "2020-01-01T00:00:00+00:00"}\n')

    assert restore_backup(empty, tmp_path / "backup", erased=tmp_path / "erased.jsonl", may_replace=False) == 0
    assert people_of(empty) == people_of(engine)


def test_a_database_that_is_replaced_hands_its_erasures_on(engine, tmp_path):
    make_backup(engine, tmp_path / "backup")
    erase(engine, "anna")
    recordings.register(engine, [a_recording("dora/0.wav", subject="dora")])

    with pytest.raises(TonalogError, match="--replace"):
        restore_backup(engine, tmp_path / "backup", erased=None, may_replace=False)
    assert restore_backup(engine, tmp_path / "backup", erased=None, may_replace=True) == 3

    assert people_of(engine) == {"ben": 1}


def test_the_objects_of_who_is_erased_again_are_removed_from_storage(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "anna.wav").write_bytes(b"sound")
    engine = new_sqlite(tmp_path, n_pooled=None)
    recordings.register(engine, [a_recording("anna.wav", subject="anna", bucket=str(notes))])
    make_backup(engine, tmp_path / "backup")
    erase(engine, "anna")

    restore_backup(engine, tmp_path / "backup", erased=None, may_replace=True)

    assert finish_erasures(Settings(home=tmp_path / "home"), engine) is None
    assert not (notes / "anna.wav").exists()


def test_a_database_that_came_back_by_other_means_is_told_who_was_erased(engine, tmp_path, monkeypatch):
    file = tmp_path / "first" / "tonalog.db"
    make_backup(engine, tmp_path / "backup")
    erase(engine, "ben")
    write_erased(engine, tmp_path / "erased.jsonl")
    for name in ("tonalog.db-wal", "tonalog.db-shm"):
        (file.parent / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup", file)
    monkeypatch.setenv("TONALOG_HOME", str(file.parent))

    done = CliRunner().invoke(cli, ["db", "erase-again", str(tmp_path / "erased.jsonl")])

    assert "1 recordings were erased again" in done.output
    assert people_of(engine) == {"anna": 3}


@pytest.mark.parametrize("content", [b"", b"PGDMP whatever", b"SQLite format 3\0" + b"x" * 5_000])
def test_what_is_no_sound_backup_is_refused_and_changes_nothing(engine, tmp_path, content):
    (tmp_path / "backup").write_bytes(content)

    with pytest.raises((TonalogError, DatabaseError), match=r"backup is n|damaged"):
        restore_backup(engine, tmp_path / "backup", erased=None, may_replace=True)

    assert people_of(engine) == {"anna": 3, "ben": 1}


def test_a_damaged_backup_is_refused(engine, empty, tmp_path):
    make_backup(engine, tmp_path / "backup")
    content = bytearray((tmp_path / "backup").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20_000] = bytes(20_000)
    (tmp_path / "backup").write_bytes(content)

    with pytest.raises(DatabaseError, match=r"damaged|no sound"):
        restore_backup(empty, tmp_path / "backup", erased=None, may_replace=False)


def test_a_backup_is_never_written_over_another(engine, tmp_path):
    make_backup(engine, tmp_path / "backup")

    with pytest.raises(TonalogError, match="is there already"):
        make_backup(engine, tmp_path / "backup")
    with pytest.raises(TonalogError, match="is no folder"):
        make_backup(engine, tmp_path / "nowhere" / "backup")


@pytest.mark.parametrize("line", ["3", "{}", '{"recording": "x", "registered_at": "2020-01-01"}', "no json"])
def test_a_list_with_a_line_of_another_kind_is_refused_before_anything_is_restored(engine, empty, tmp_path, line):
    make_backup(engine, tmp_path / "backup")
    (tmp_path / "erased.jsonl").write_text(line + "\n")

    with pytest.raises(TonalogError, match="line 1 of"):
        restore_backup(empty, tmp_path / "backup", erased=tmp_path / "erased.jsonl", may_replace=False)

    with sqlite3.connect(empty.url.database) as database:
        assert database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    database.close()
