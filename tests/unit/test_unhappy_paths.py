"""What people get wrong on the command line is answered in one sentence with the remedy, never with a traceback."""

import os
import sqlite3
import sys

import pytest
from db_samples import add_jobs, new_sqlite

from tonalog.__main__ import main


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("TONALOG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path / ".tonalog"))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # `main` sets it: here it goes away again with the test
    return tmp_path / ".tonalog"


@pytest.fixture
def tonalog(home, monkeypatch, capsys):
    """Runs the command in this process; gives exit code and all that was printed."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["tonalog", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    return call


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/tonalog"])
def test_a_home_that_cannot_be_made_is_named_with_the_reason(tonalog, tmp_path, monkeypatch, place):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path / place))

    for words in (["run", tmp_path], ["status"], ["db", "upgrade"]):
        code, printed = tonalog(*words)

        assert (code, printed.count("\n")) == (1, 1), printed
        assert str(tmp_path / place) in printed
        assert "TONALOG_HOME" in printed


def test_no_command_scans_a_folder_that_holds_our_database(tonalog, tmp_path, monkeypatch):
    home = tmp_path / "notes" / "home"
    home.parent.mkdir()
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path / ".tonalog"))
    tonalog("db", "upgrade")
    monkeypatch.setenv("TONALOG_DATABASE_URL", f"sqlite:///{tmp_path / '.tonalog' / 'tonalog.db'}")
    monkeypatch.setenv("TONALOG_STORAGE_URL", str(home.parent))
    monkeypatch.setenv("TONALOG_HOME", str(home))

    for words in (["run", home.parent], ["scan"], ["doctor"]):
        code, printed = tonalog(*words)

        assert code == (2 if words == ["doctor"] else 1), words
        assert "taken for a recording" in " ".join(printed.split()), words
    assert not list(home.glob("*.db"))


@pytest.mark.parametrize("words", [["status"], ["db", "upgrade"], ["run", "."]])
def test_a_database_of_a_newer_release_asks_for_that_release(tonalog, home, words):
    home.mkdir()
    new_sqlite(home)
    with sqlite3.connect(home / "tonalog.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.execute("UPDATE schema_compatibility SET works_beside = '9999'")
    database.close()

    code, printed = tonalog(*words)

    assert code == 1
    assert "9999" in printed
    assert "newer release" in printed


def test_a_file_that_is_no_database_says_what_to_do_with_it(tonalog, home):
    home.mkdir()
    (home / "tonalog.db").write_bytes(b"Dear diary, " * 1000)

    code, printed = tonalog("status")

    assert code == 1
    assert str(home / "tonalog.db") in printed
    assert "put a backup in its place or move it away" in printed


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("LEASE_S=inf", ["TONALOG_LEASE_S='inf'", "finite"]),
        ("LEASE_S=soon", ["TONALOG_LEASE_S='soon'", "valid number"]),
        ("LOG_LEVEL=LOUD", ["TONALOG_LOG_LEVEL='LOUD'", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"]),
        ("TIME_ZONE=Mars", ["TONALOG_TIME_ZONE='Mars'", "no such time zone"]),
        ("NIGHTLY_CRONTAB=99 2 * * *", ["TONALOG_NIGHTLY_CRONTAB='99 2 * * *'", "99 > 59"]),
        ("NIGHTLY_CRONTAB=0 two * * *", ["TONALOG_NIGHTLY_CRONTAB='0 two * * *'", "'0 2 * * *'"]),
        ("BROKER_URL=amqp://canary@host", ["TONALOG_BROKER_URL: ", "redis://"]),
        ("BROKER_URL=", ["TONALOG_BROKER_URL: ", "redis://"]),
        ("SUBJECT_KEY=canary", ["TONALOG_SUBJECT_KEY: ", "32"]),
    ],
)
def test_a_setting_that_is_not_allowed_is_named_with_its_value_unless_it_is_a_secret(
    tonalog, tmp_path, monkeypatch, setting, words
):
    variable, _, value = setting.partition("=")
    monkeypatch.setenv(f"TONALOG_{variable}", value)

    code, printed = tonalog("run", tmp_path)

    assert (code, printed.count("\n")) == (1, 1), printed
    assert all(word in printed for word in words), printed
    assert "canary" not in printed
    assert "Value error" not in printed


def test_a_folder_without_recordings_says_so_instead_of_an_empty_table(tonalog, tmp_path):
    (tmp_path / "empty").mkdir()

    code, printed = tonalog("run", tmp_path / "empty")

    assert code == 0
    assert f"No recordings in {tmp_path / 'empty'}" in printed
    assert "neutral" not in printed


def test_a_pipe_and_a_folder_are_unreadable_at_once(tonalog, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")

    code, printed = tonalog("score", tmp_path / "pipe.wav", tmp_path)

    assert code == 1
    assert printed.count("UNREADABLE") == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["reprocess", "--model", "1.0", "--since", "2026-05-01", "--until", "2026-01-01"], 2, "2026-05-01"),
        (["reprocess", "--model", "1.0", "--subject", "nobody", "--dry-run"], 0, "tonalog subjects list"),
        (["retry", "--recording", "77"], 0, "none of those is dead"),
        (["status", "--limit", "-1"], 2, "-1 is not in the range x>=0"),
    ],
)
def test_asking_for_what_cannot_be_says_why_nothing_came(tonalog, home, words, code, said):
    home.mkdir()
    add_jobs(new_sqlite(home), 1)

    ended, printed = tonalog(*words)

    assert ended == code
    assert said in printed
