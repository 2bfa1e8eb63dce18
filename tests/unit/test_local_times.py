"""Times as the recorder's own clock showed them: in `run`, `show` and `trends`, for people and for scripts."""

import json
from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner
from db_samples import a_recording, add_active_model, new_sqlite

from config.settings import Settings
from db import recordings
from tonalog import run_report
from tonalog.commands.read import show_command, trends_command
from tonalog.local_run import Place
from tonalog.report import local_time

EVENING = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)
BERLIN = {"utc_offset_min": 60, "recorded_at_zone": "Europe/Berlin", "local_day": date(2026, 3, 2)}
SPOKEN = {
    "day.ogg": {"recorded_at": EVENING, "recorded_at_precision": "day", **BERLIN},
    "minute.ogg": {"recorded_at": EVENING, "recorded_at_precision": "minute", **BERLIN},
    "west.ogg": {
        "recorded_at": EVENING,
        "recorded_at_precision": "second",
        "utc_offset_min": -570,
        "local_day": date(2026, 3, 1),
    },
    "lost.ogg": {"recorded_at": EVENING, "recorded_at_precision": "second", "local_day": date(2026, 3, 1)},
    "unknown.ogg": {},
}
SHOWN = {
    "day.ogg": "2026-03-02",
    "minute.ogg": "2026-03-02 00:00",
    "west.ogg": "2026-03-01 13:30",
    "lost.ogg": "2026-03-01 23:00 UTC",
    "unknown.ogg": "unknown",
}


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "BROKER_URL", "STORAGE_URL", "SUBJECT_KEY", "TENANT"):
        monkeypatch.delenv(f"TONALOG_{name}", raising=False)
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    found = [a_recording(key, subject="ana", recorded_at_source="key", **when) for key, when in SPOKEN.items()]
    recordings.register(engine, found)
    return engine


def call(command, *arguments):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("key", SPOKEN)
def test_a_time_is_that_of_the_recorder_and_no_finer_than_it_is_known(engine, key):
    (found,) = recordings.find(engine, key)

    assert local_time(found) == SHOWN[key]


def test_scripts_get_the_moment_with_its_offset_the_day_and_how_exact_both_are(engine):
    notes = {note["key"]: note for note in json.loads(call(trends_command, "ana", "--json"))}

    assert {key: note["recorded_at"] for key, note in notes.items()} == {
        "day.ogg": "2026-03-02T00:00:00+01:00",
        "minute.ogg": "2026-03-02T00:00:00+01:00",
        "west.ogg": "2026-03-01T13:30:00-09:30",
        "lost.ogg": "2026-03-01T23:00:00+00:00",
        "unknown.ogg": None,
    }
    assert {key: (note["utc_offset_min"], note["local_day"]) for key, note in notes.items()} == {
        "day.ogg": (60, "2026-03-02"),
        "minute.ogg": (60, "2026-03-02"),
        "west.ogg": (-570, "2026-03-01"),
        "lost.ogg": (None, "2026-03-01"),
        "unknown.ogg": (None, None),
    }
    assert [notes[key]["recorded_at_precision"] for key in SPOKEN] == ["day", "minute", "second", "second", None]
    assert {note["tenant"] for note in notes.values()} == {"default"}


def test_a_trend_and_a_run_show_local_times(engine, capsys):
    trend = call(trends_command, "ana")
    run_report.print_report(engine, Place("local", "notes", ""), Settings.read())
    report = capsys.readouterr().out

    times = {key: next(line for line in report.splitlines() if key in line).split("  ") for key in SPOKEN}
    for key, shown in SHOWN.items():
        assert any(line.strip().startswith(shown) for line in trend.splitlines()), key
        assert shown in [cell.strip() for cell in times[key]], key


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("day.ogg", "recorded at: 2026-03-02 (UTC+01:00 Europe/Berlin, from key)"),
        ("minute.ogg", "recorded at: 2026-03-02 00:00 (UTC+01:00 Europe/Berlin, from key)"),
        ("west.ogg", "recorded at: 2026-03-01 13:30 (UTC-09:30, from key)"),
        ("lost.ogg", "recorded at: 2026-03-01 23:00 UTC (from key)"),
        ("unknown.ogg", "recorded at: unknown (from key)"),
    ],
)
def test_show_says_by_which_clock(engine, key, said):
    assert said in call(show_command, key)


def test_show_tells_what_was_corrected_and_by_what(engine):
    right = a_recording("unknown.ogg", subject="ben", recorded_at_source="key", tenant="clinic")
    recordings.correct(engine, [right], cause="identify")

    shown = [line.split() for line in call(show_command, "unknown.ogg").splitlines()]

    assert ["identify", "subject", "ana", "ben"] in [line[-4:] for line in shown]
    assert ["identify", "tenant", "default", "clinic"] in [line[-4:] for line in shown]
    assert ["tenant:", "clinic", "(from", "default)"] in shown
