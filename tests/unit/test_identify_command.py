"""`tonalog identify`: the table says who, when, from where and why not; --apply corrects and scores nothing."""

import doctest
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from config.settings import Settings
from db import Engine, recordings
from scheduler.naming import Naming
from scheduler.scan import scan
from storage.local import LocalStore
from tonalog.cli import cli
from tonalog.commands import identify
from tonalog.session import open_database

KEYS = ["PTT-20260302-WA0001.opus", "Voice 001.m4a", "ana/2026-03-06.amr", "2026/03/ben/xyz.ogg", "two/kim/x.ogg"]
JSON_KEYS = [
    "key",
    "subject",
    "subject_source",
    "recorded_at",
    "utc_offset_min",
    "precision",
    "local_day",
    "recorded_at_source",
    "problem",
    "tenant",
    "tenant_source",
]


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / "notes"
    for key in KEYS:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(key)
    return folder


def call(*words: str, exit_code: int = 0):
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == exit_code, done.output
    return done


def rows(*words: str) -> dict[str, dict]:
    lines = [json.loads(line) for line in call("identify", *words, "--json").stdout.splitlines()]
    assert all(list(line) == JSON_KEYS for line in lines)
    return {line["key"]: line for line in lines}


def registered(notes: Path) -> tuple[Engine, dict]:
    engine = open_database(Settings.read())
    found = [recordings.find(engine, key)[0] for key in KEYS]
    return engine, {item.key: item for item in found}


def register(notes: Path) -> None:
    settings = Settings.read()
    scan(open_database(settings), LocalStore(notes), prefix="", naming=Naming.of(settings))


def test_examples_in_docstrings_hold():
    result = doctest.testmod(identify)
    assert result.attempted > 0
    assert result.failed == 0


def test_the_table_says_who_when_from_where_and_why_not_and_makes_no_database(notes, tmp_path):
    output = call("identify", str(notes)).output

    line = {key: next(line for line in output.splitlines() if key in line) for key in KEYS}
    assert re.search(r"unknown +2026-03-02 +key \(whatsapp\)", line["PTT-20260302-WA0001.opus"])
    assert "no time in manifest" in line["Voice 001.m4a"]
    assert "a year and a month only" in line["2026/03/ben/xyz.ogg"]
    assert "2 folders may be the person" in line["two/kim/x.ogg"]
    assert "5 recordings: 3 without a person, 3 without a time." in output
    assert not (tmp_path / "home").exists()


def test_json_lines_keep_the_local_day_and_the_offset(notes):
    found = rows(str(notes), "--zone", "Europe/Berlin")["ana/2026-03-06.amr"]

    assert found == {
        "key": "ana/2026-03-06.amr",
        "subject": "ana",
        "subject_source": "key",
        "recorded_at": "2026-03-06T00:00:00+01:00",
        "utc_offset_min": 60,
        "precision": "day",
        "local_day": "2026-03-06",
        "recorded_at_source": "key",
        "problem": None,
        "tenant": "default",
        "tenant_source": "default",
    }


def test_patterns_are_tried_in_the_order_in_which_they_are_given(notes):
    found = rows(str(notes), "--pattern", "{tenant}/{subject}/{any}", "--pattern", "whatsapp")

    assert (found["two/kim/x.ogg"]["tenant"], found["two/kim/x.ogg"]["subject"]) == ("two", "kim")
    assert found["PTT-20260302-WA0001.opus"]["local_day"] == "2026-03-02"
    assert found["ana/2026-03-06.amr"]["subject"] is None


def test_manifest_and_folder_wide_subject_and_tenant(notes, tmp_path):
    manifest = tmp_path / "people.csv"
    manifest.write_text("key;subject;recorded_at;zone\nVoice 001.m4a;zoe;2026-03-01 08:15;Asia/Tokyo\nnone.ogg;x;;\n")
    done = call("identify", str(notes), "--manifest", str(manifest), "--json")
    by_manifest = {line["key"]: line for line in map(json.loads, done.stdout.splitlines())}
    by_option = rows(str(notes), "--manifest", str(manifest), "--subject", "zo\u00eb", "--tenant", "clinic")

    assert by_manifest["Voice 001.m4a"]["recorded_at"] == "2026-03-01T08:15:00+09:00"
    assert by_manifest["Voice 001.m4a"]["subject_source"] == "manifest"
    assert "people.csv: no recording here is the one of line 3" in done.stderr
    assert {line["subject"] for line in by_option.values()} == {"zo\u00eb"}
    assert {(line["tenant"], line["tenant_source"]) for line in by_option.values()} == {("clinic", "option")}


def test_apply_corrects_what_is_registered_and_nothing_else(notes):
    register(notes)
    (notes / "late.ogg").write_text("x")
    before = registered(notes)[1]
    assert before["ana/2026-03-06.amr"].recorded_at == datetime(2026, 3, 6, tzinfo=UTC)

    dry = call("identify", str(notes), "--zone", "Europe/Berlin")
    assert "corrected" not in dry.output
    assert registered(notes)[1] == before
    done = call("identify", str(notes), "--zone", "Europe/Berlin", "--apply")

    engine, after = registered(notes)
    assert "2 of 5 registered recordings corrected. Scans leave this as it is" in done.output
    assert after["ana/2026-03-06.amr"].recorded_at == datetime(2026, 3, 5, 23, tzinfo=UTC)
    assert recordings.find(engine, "late.ogg") == []
    again = call("identify", str(notes), "--zone", "Europe/Berlin", "--apply")
    assert "0 of 5 registered recordings corrected" in again.output


def test_a_scan_leaves_what_was_applied_by_option_and_apply_without_options_takes_it_back(notes):
    register(notes)
    call("identify", str(notes), "--subject", "eve", "--apply")
    register(notes)
    assert {item.subject for item in registered(notes)[1].values()} == {"eve"}

    call("identify", str(notes), "--apply")
    assert registered(notes)[1]["ana/2026-03-06.amr"].subject == "ana"


def test_names_and_keys_cannot_command_the_terminal(notes):
    (notes / "an\x1b[2Ja").mkdir()
    (notes / "an\x1b[2Ja" / "2026-03-01.ogg").write_text("x")
    (notes / "manifest.csv").write_text("key,subject\nVoice 001.m4a,[bold]zoe\n")
    output = call("identify", str(notes)).output

    assert "\x1b" not in output
    assert "an\\x1b[2Ja/2026-03-01.ogg" in output
    assert "[bold]zoe" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pattern", "{person}/x"], r"unknown {person}"),
        (["--pattern", "whatsap"], "use 'whatsapp'"),
        (["--zone", "Mars/North"], "TONALOG_TIME_ZONE='Mars/North': no such time zone"),
        (["--subject", "a\nb"], "--subject 'a\\nb' is no name"),
        (["--tenant", " "], "--tenant ' ' is no name"),
        (["--manifest", "nowhere.csv"], "there is no folder or file 'nowhere.csv'"),
        (["--manifest", "."], "the manifest '.' is a folder"),
    ],
)
def test_what_cannot_be_used_is_said(notes, words, message):
    done = CliRunner().invoke(cli, ["identify", str(notes), *words])

    assert done.exit_code == 1
    assert message in str(done.exception)


def test_broken_manifest_beside_the_recordings_stops_with_its_line(notes):
    (notes / "manifest.csv").write_text("key,subject\nVoice 001.m4a,zoe\nVoice 001.m4a,eve\n")
    done = CliRunner().invoke(cli, ["identify", str(notes)])

    assert "manifest.csv line 3: line 2 is about the same recording" in str(done.exception)


def test_a_manifest_that_anybody_may_upload_can_be_refused(notes, monkeypatch):
    (notes / "manifest.csv").write_text("nonsense")
    monkeypatch.setenv("TONALOG_MANIFEST", "none")

    assert set(rows(str(notes))) == {*KEYS, "manifest.csv"}


def test_nothing_to_read_is_said(notes, tmp_path):
    (tmp_path / "empty").mkdir()

    assert "No recordings in" in call("identify", str(tmp_path / "empty")).output
    assert "Nothing to read" in str(CliRunner().invoke(cli, ["identify"]).exception)
