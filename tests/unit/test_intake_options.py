"""`scan` and `run` take who and when by option, and say what nobody says."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from config.settings import Settings
from db import recordings
from scheduler.nightly import NightResult
from scheduler.service import Service
from tonalog.cli import cli
from tonalog.intake_options import say_unknown
from tonalog.session import open_database


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path / "home"))
    folder = tmp_path / "my notes"
    folder.mkdir()
    for name in ("Voice 001.m4a", "PTT-20260302-WA0001.opus"):
        (folder / name).write_text(name)
    call("db", "upgrade")
    return folder


def call(*words: str) -> str:
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_scan_says_what_nobody_says_and_an_option_helps(notes):
    first = call("scan", str(notes))
    assert "2 recordings listed, 2 new, 0 corrected, 2 jobs made" in first
    assert f"2 recordings have no person, 1 no time: `tonalog identify '{notes}'` shows why." in first

    second = call("scan", str(notes), "--subject", "ana", "--zone", "Europe/Berlin")
    assert "2 recordings listed, 0 new, 2 corrected, 0 jobs made" in second
    assert "0 recordings have no person, 1 no time" in second

    third = call("scan", str(notes))
    assert "0 corrected" in third
    assert "no person" not in third
    found = recordings.find(open_database(Settings.read()), "PTT-20260302-WA0001.opus")[0]
    assert (found.subject, found.subject_source, found.utc_offset_min) == ("ana", "option", 60)


def test_nothing_is_said_where_all_is_known(capsys):
    say_unknown(NightResult(n_listed=1, n_new=1, n_jobs=1), "notes")
    assert capsys.readouterr().out == ""
    say_unknown(NightResult(n_listed=1, n_new=1, n_jobs=1, n_without_time=1), None)
    assert "`tonalog identify` shows why" in capsys.readouterr().out


def test_a_run_takes_the_same_options(notes, monkeypatch):
    seen = {}

    class Stopped(Exception):
        pass

    def scan_and_queue(self, url, *, options):
        seen[url] = options
        raise Stopped

    monkeypatch.setattr(Service, "scan_and_queue", scan_and_queue)
    words = ["run", str(notes), "--subject", "zoe\u0308", "--pattern", "whatsapp", "--pattern", "...", "--tenant", "t"]
    done = CliRunner().invoke(cli, words)

    assert isinstance(done.exception, Stopped)
    assert (seen[str(notes)].subject, seen[str(notes)].tenant) == ("zo\u00eb", "t")
    assert seen[str(notes)].patterns == ("whatsapp", "...")
