"""Homes with any name, an installation that cannot be written, and a locale that is not UTF-8."""

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from shlex import quote

import pytest
from command import NOTES, ROOT

from config.settings import Settings
from tonalog.session import open_database

TONALOG = Path(sys.executable).with_name("tonalog")
NOTE = NOTES / "luca" / "2026-03-02T12-30-00Z.m4a"
SAME_ENCODING = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def call(*arguments, cwd, before=(), text=True, **variables):
    """Run the installed command in a folder with little environment; return its finished process."""
    return subprocess.run(
        [*before, TONALOG, *map(str, arguments)],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=text,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("is_relative", [True, False])
def test_each_home_has_its_own_database_in_its_own_folder_whatever_it_is_called(tmp_path, monkeypatch, is_relative):
    monkeypatch.chdir(tmp_path)
    names = [
        "notes?1",
        "notes?2",
        "a%20b",
        "a b",
        "a#b",
        "ü",
        "%(here)s",
        "%41",
        "a&b=c",
        "-x",
        "file:x?mode=memory",
        "~",
    ]
    for n, name in enumerate(names):
        engine = open_database(Settings.read(home=Path(name) if is_relative else tmp_path / name))
        with engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA user_version = {n}")

    assert {path.name for path in tmp_path.iterdir()} == set(names)
    for n, name in enumerate(names):
        with sqlite3.connect(tmp_path / name / "tonalog.db") as database:
            assert database.execute("PRAGMA user_version").fetchone() == (n,)
            assert database.execute("SELECT count(*) FROM recordings").fetchone() == (0,)


def locale_of(kind, folder):
    if kind == "ascii":
        return {"LC_ALL": "C", **SAME_ENCODING}
    if kind == "latin-1 output":
        return {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "latin-1"}
    made = shutil.which("localedef") and subprocess.run(
        ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / "en_US.iso88591"], check=False, capture_output=True
    )
    if not made or made.returncode:
        pytest.skip("localedef cannot make a latin-1 locale here; the same is tested with an ASCII one")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1", **SAME_ENCODING}


def test_no_locale_stops_a_command_or_changes_a_key_and_no_name_of_a_home_does(tmp_path):
    home = tmp_path / "hömé?x=1&y#%41"
    variables = {**locale_of("latin-1", tmp_path), "TONALOG_HOME": str(home)}
    notes = tmp_path / "100% (a?b#c)"
    (notes / "Łukasz").mkdir(parents=True)
    shutil.copy(NOTE, notes / "Łukasz" / NOTE.name)
    (notes / "Łukasz" / "дома.ogg").write_bytes(b"no audio")
    commands = [
        *[["run", "."], ["show", NOTE.name], ["trends", "Łukasz"], ["trends", "Łukasz", "--json"]],
        *[["dead"], ["status"], ["settings"], ["doctor"], ["run", "--help"]],
    ]

    printed = {" ".join(words): call(*words, cwd=notes, text=False, **variables) for words in commands}

    for words, done in printed.items():
        assert done.returncode == 0, (words, done.stderr)
        assert b"Traceback" not in done.stderr, (words, done.stderr)
    assert b"1 failed, 1 scored" in printed["run ."].stdout
    assert json.loads(printed["trends Łukasz --json"].stdout)
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".iso88591"} == {notes.name, home.name}
    with sqlite3.connect(home / "tonalog.db") as database:
        keys = {key for (key,) in database.execute("SELECT key FROM recordings")}
    assert keys == {f"Łukasz/{NOTE.name}", "Łukasz/дома.ogg"}
    log = (home / "worker.log").read_text(encoding="latin-1")
    assert "Logging error" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(("kind", "bars"), [("latin-1", "=-="), ("ascii", "▅▄▅"), ("latin-1 output", "=-=")])
def test_scores_are_printed_in_every_encoding_and_a_name_that_is_no_text_is_no_crash(tmp_path, kind, bars):
    variables = locale_of(kind, tmp_path)
    (tmp_path / "Łukasz").mkdir()
    shutil.copy(NOTE, tmp_path / "Łukasz" / "ü.m4a")

    done = call("score", "Łukasz/ü.m4a", os.fsdecode(b"\xff.wav"), cwd=tmp_path, text=False, **variables)

    scored, failed = done.stdout.splitlines()
    assert done.returncode == 1
    assert scored.decode("utf-8" if kind == "ascii" else "latin-1").endswith(bars)
    assert b"ukasz/" in scored
    assert b"failed, UNREADABLE" in failed
    assert done.stderr == b""


def where_only_this_can_be_written(folder):
    """Return the words to put before a command, for it to find every other folder of this machine read-only."""
    places = [ROOT, Path(sys.prefix), Path(sys.base_prefix), Path(tempfile.gettempdir()), Path.home()]
    mounts = {next(part for part in (place, *place.parents) if part.is_mount()) for place in map(Path.resolve, places)}
    script = f"mount --bind {quote(str(folder))} {quote(str(folder))}"
    for mount in mounts:
        script += f" && mount -o remount,bind,ro {quote(str(mount))}"
    script += f' && cd {quote(str(folder))} && exec "$@"'
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    before = [*unshare, "sh", "-c", script, "sh"]
    try:
        subprocess.run([*before, "true"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no read-only mounts here: {getattr(error, 'stderr', error)}")
    numba = Path(importlib.util.find_spec("numba").origin).parent
    for place in (numba, ROOT, tempfile.gettempdir()):
        assert subprocess.run([*before, "touch", f"{place}/x"], check=False, capture_output=True).returncode == 1
    return before


def test_an_installation_where_only_the_home_can_be_written_scores(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    shutil.copy(NOTE, notes)
    variables = {"HOME": "/nonexistent", "before": where_only_this_can_be_written(notes)}

    scored = call("score", NOTE.name, cwd=notes, **variables)
    ran = call("run", ".", cwd=notes, **variables)
    doctor = call("doctor", cwd=notes, **variables)

    assert scored.returncode == 0, scored.stderr
    assert "1 recordings: 1 scored." in ran.stdout, ran.stdout + ran.stderr
    assert doctor.returncode == 0, doctor.stdout
    assert "is decoded and resampled" in doctor.stdout
