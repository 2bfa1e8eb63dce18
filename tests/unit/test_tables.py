"""Tables for people: every column in a wide terminal, and nothing folded to pieces in one of 80 columns."""

import pytest
from db_samples import add_jobs, new_sqlite, take

from db import ledger
from db.reasons import Reason
from db.schema import EMOTIONS
from tonalog import run_report, screen
from tonalog.commands.dead import dead_command
from tonalog.screen import new_table, show
from tonalog.sparkline import sparkline

KEY = "chloe/2026-03-02T16-20-00Z.webm"
ROW = [KEY, "chloe", "2026-03-02 16:20", "0:19", "0:18", "happiness?", "0.02", "0.72", "0.15", "0.11", "▅▇▆", "scored"]


@pytest.fixture
def printed_at(monkeypatch, capsys):
    """Print on a screen of so many columns, and return the lines."""

    def print_at(width, print_rows):
        monkeypatch.setattr(screen, "_PIPE_WIDTH", width)
        print_rows()
        return capsys.readouterr().out.splitlines()

    return print_at


def test_in_80_columns_a_note_takes_two_lines_with_everything_that_the_wide_table_has(printed_at):
    lines = printed_at(80, lambda: run_report._print_table([ROW, ROW], EMOTIONS))

    assert max(map(len, lines)) <= 80
    upper, lower = (line for line in lines[lines.index(next(line for line in lines if KEY in line)) :][:2])
    assert [word for word in (KEY, "▅▇▆", "happiness?", "0.02", "0.72", "0.15", "0.11") if word not in upper] == []
    assert [word for word in ("chloe, 2026-03-02 16:20", "0:18 of 0:19", "scored") if word not in lower] == []
    assert sum(KEY in line for line in lines) == 2


def test_in_160_columns_a_note_takes_one_line_under_full_headings(printed_at):
    lines = printed_at(160, lambda: run_report._print_table([ROW], EMOTIONS))

    (line,) = [line for line in lines if KEY in line]
    assert all(cell in line for cell in ROW)
    assert any(all(name in heading for name in EMOTIONS) for heading in lines)


def test_a_key_in_a_narrow_table_can_neither_command_the_terminal_nor_style_it(printed_at):
    hostile = ["a\x1b[2J[red]\nb", *ROW[1:]]

    text = "\n".join(printed_at(80, lambda: run_report._print_table([hostile], EMOTIONS)))

    assert "a\\x1b[2J[red]\\nb" in text


def test_a_table_that_does_not_fit_is_printed_a_line_a_cell(printed_at):
    table = new_table("Dead jobs", ["key", "message", "detail"])
    table.add_row(KEY, "word " * 30, "")

    lines = printed_at(80, lambda: show(table))

    assert f"key: {KEY}" in lines
    assert not any(line.startswith("detail") for line in lines)
    assert len(printed_at(300, lambda: show(table))) == 6  # title, blank, headings, line, row, blank


@pytest.mark.parametrize("n", [1, 12, 13, 1800])
def test_a_picture_is_never_wider_than_its_place_and_keeps_its_mean(n):
    line = sparkline([0.0] * n + [1.0] * n, width=12)

    assert len(line) == min(2 * n, 12)
    assert line == "▁" * (len(line) // 2) + "█" * (len(line) // 2)


def test_dead_jobs_in_a_narrow_terminal_keep_their_keys_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TONALOG_HOME", str(tmp_path))
    engine = new_sqlite(tmp_path)
    ledger.fail_dead(engine, take(engine, add_jobs(engine, 1)[0]), Reason.NOT_AUDIO, detail="word " * 30)
    monkeypatch.setattr(screen, "_PIPE_WIDTH", 80)

    dead_command.main([], standalone_mode=False)

    assert "key: anna/0000.wav" in capsys.readouterr().out


def test_piped_output_is_wider_than_a_terminal():
    assert screen.width() > 80
