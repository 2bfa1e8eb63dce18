"""`tonalog export`: what it refuses, what it prints, and that a killed one leaves nothing that looks whole."""

import csv
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest
from click.testing import CliRunner
from command import NOTES, ROOT
from db_samples import a_recording, days_later, new_sqlite

from db import recordings
from storage.local import LocalStore
from storage.objects import StoredObject
from tonalog.cli import cli
from tonalog.errors import TonalogError

HALF_WAY = """
import sys, time
from pathlib import Path
from exports.place import new_place
with new_place(Path(sys.argv[1])) as folder:
    (folder / "notes.csv").write_text("half")
    print("half way", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    return tmp_path


def refuse(*arguments):
    error = CliRunner().invoke(cli, ["export", *map(str, arguments)]).exception
    assert isinstance(error, TonalogError), error
    return str(error)


def test_a_run_is_sent_to_the_command_that_writes_bundles(home):
    assert "use `tonalog bundle`" in refuse(home)
    assert "use `tonalog bundle`" in refuse(home, "--version", "1.0", "--out", home / "bundle-1.0")


def test_what_is_missing_or_does_not_apply_is_named_with_what_is_allowed(home):
    assert "csv, jsonl, parquet, audformat, fhir, person" in refuse("--out", home / "x")
    assert "--until 2026-03-01 is before --since 2026-03-02" in refuse(
        "--format", "csv", "--out", home / "x", "--since", "2026-03-02", "--until", "2026-03-01"
    )
    assert "only audformat" in refuse("--format", "csv", "--out", home / "x", "--with-keys")
    assert "only person" in refuse("--format", "csv", "--out", home / "x", "--with-audio")


def test_somebody_unknown_is_no_empty_export(home):
    new_sqlite(home)

    assert "No recordings of 'nobody'" in refuse("--format", "csv", "--out", home / "x", "--subject", "nobody")
    assert not (home / "x").exists()


def test_a_former_name_finds_the_person_and_the_audio_is_the_recording(home):
    folder = home / "notes"
    shutil.copytree(NOTES / "ana", folder / "ana")
    engine = new_sqlite(home)
    store = LocalStore(folder)
    (page,) = store.list_objects()
    recordings.register(engine, [as_new(store, found) for found in page])

    done = CliRunner().invoke(
        cli, ["export", "--format", "person", "--out", str(home / "ana.zip"), "--subject", "ana", "--with-audio"]
    )

    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(home / "ana.zip") as archive:
        copied = sorted(archive.read(name) for name in archive.namelist() if name.startswith("audio/"))
    assert copied == sorted(path.read_bytes() for path in (folder / "ana").iterdir())


def as_new(store, found: StoredObject):
    return a_recording(
        found.key,
        found.version_tag,
        bucket=store.bucket,
        size_bytes=found.size_bytes,
        subject="ana",
        recorded_at=days_later(0),
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_killed_export_leaves_nothing_under_its_name(tmp_path, name, number):
    with subprocess.Popen(
        [sys.executable, "-c", HALF_WAY, str(tmp_path / name)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "half way\n"
        process.send_signal(number)

    assert not (tmp_path / name).exists()
    assert all(path.name.startswith(f".{name}.partial-") for path in tmp_path.iterdir())


def test_it_prints_what_it_wrote(home):
    engine = new_sqlite(home)
    recordings.register(engine, [a_recording("a.wav", subject="anna", recorded_at=days_later(0))])

    done = CliRunner().invoke(cli, ["export", "--format", "csv", "--out", str(home / "x")])

    assert "1 notes, 0 segments" in done.output
    assert "do not show the newest notes yet (people: 1)" in done.output.replace("\n", " ")
    with (home / "x" / "notes.csv").open(newline="") as file:
        assert [row["subject"] for row in csv.DictReader(file)] == ["anna"]
