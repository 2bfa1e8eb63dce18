"""Paths as long as the system takes them, and ones that cannot be looked at: what is wrong is said, and by whom."""

import os
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from config.queues import prepare_folders
from config.settings import Settings, SettingsError
from scheduler.naming import IntakeOptions, Naming
from storage.open import open_store
from storage.protocol import StorageDenied
from tonalog.commands.score import score_command
from tonalog.session import open_database

TOO_LONG = "/" + "/".join(["n" * 200] * 25)
NOBODY = 65_534


def lengthen(folder: Path, n_bytes: int) -> Path:
    """Return a path of so many bytes below a folder."""
    while (missing := n_bytes - len(os.fsencode(folder))) > 0:
        folder /= "n" * (missing - 1 if missing <= 201 else 199)
    return folder


@pytest.mark.parametrize(
    "place", [TOO_LONG, f"file://{TOO_LONG}", "n" * 300, "~no-such-user-here/notes", "a\0b", os.fsdecode(b"\xff\xfe")]
)
def test_a_place_that_cannot_be_one_is_said(place):
    with pytest.raises(StorageDenied, match="give s3://BUCKET/PREFIX, a folder or a file"):
        open_store(place)


def test_a_manifest_that_cannot_be_one_is_said(tmp_path):
    (tmp_path / "pipe.csv").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "pipe.csv")
    store, prefix = open_store(tmp_path)

    for manifest in (TOO_LONG, str(tmp_path / "pipe.csv"), "/dev/zero"):
        naming = Naming.of(Settings(), IntakeOptions(manifest=manifest))
        with pytest.raises(StorageDenied, match="give s3://BUCKET/PREFIX, a folder or a file"):
            naming.intake(store, prefix)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
def test_a_place_that_may_not_be_looked_at_is_said():
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        notes.mkdir()
        os.seteuid(NOBODY)  # the folder around it is closed to others
        try:
            with pytest.raises(StorageDenied, match=r"notes' cannot be opened \(Permission denied\)"):
                open_store(notes)
        finally:
            os.seteuid(0)


def test_scoring_a_path_that_is_too_long_fails_for_that_file_alone():
    done = CliRunner().invoke(score_command, [TOO_LONG, "/dev/zero"])

    too_long, device = done.stdout.splitlines()
    assert "failed, UNREADABLE" in too_long
    assert too_long.endswith("File name too long")
    assert "failed, UNREADABLE" in device
    assert done.exit_code == 1


@pytest.mark.parametrize("name", ["ca_file", "cert_file"])
def test_a_certificates_path_that_is_too_long_is_said(monkeypatch, name):
    monkeypatch.setenv("TONALOG_BROKER_URL", "rediss://queue/0")
    monkeypatch.setenv(f"TONALOG_BROKER_{name.upper()}", TOO_LONG)

    with pytest.raises(SettingsError, match=r"there is no file '.*n'"):
        Settings.read()


def test_a_home_works_up_to_the_longest_path_that_sqlite_takes_and_is_refused_beyond_it(tmp_path):
    longest = 504 - len("/tonalog.db")

    open_database(Settings(home=lengthen(tmp_path / "a", longest))).dispose()
    with pytest.raises(SettingsError, match=r"has 505 bytes, SQLite takes 504.*TONALOG_HOME.*TONALOG_DATABASE_URL"):
        prepare_folders(Settings(home=lengthen(tmp_path / "b", longest + 1)))

    assert not (tmp_path / "b").exists()


def test_a_home_as_long_as_the_system_takes_it_is_refused_in_a_sentence(tmp_path):
    settings = {"database_url": "postgresql://db/x"}
    for n_bytes in (4_050, 4_090, 4_200):
        home = lengthen(tmp_path / "home", n_bytes)
        with pytest.raises(SettingsError, match=r"has 4\d\d\d bytes, the file queue takes 3900"):
            prepare_folders(Settings(home=home, **settings))


def test_recordings_lie_in_a_folder_as_deep_as_a_path_can_name(tmp_path):
    folder = lengthen(tmp_path / "notes", 4_080)
    at = os.open(tmp_path, os.O_RDONLY)
    for part in folder.relative_to(tmp_path).parts:
        os.mkdir(part, dir_fd=at)
        inner = os.open(part, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.mkdir("k" * 255, dir_fd=at)  # beyond what any path can name
    file = os.open(f"{'k' * 255}/a.wav", os.O_WRONLY | os.O_CREAT, dir_fd=at)
    os.write(file, b"sound")
    os.close(file)
    os.close(at)

    store, prefix = open_store(folder)
    [[item]] = store.list_objects(prefix)

    assert item.key == f"{'k' * 255}/a.wav"
    with store.open(item.key, version_tag=item.version_tag, size_bytes=5) as opened:
        assert opened.file.read() == b"sound"
    store.erase(item.key)
    assert list(store.list_objects()) == []
