"""A command in a fork is what it would be as a process of its own."""

import subprocess

import pytest
from command import Cli


def test_a_forked_command_has_its_own_variables_output_and_exit_code(tmp_path):
    cli = Cli(tmp_path, {"TONALOG_LOG_LEVEL": "WARNING"})

    assert "TONALOG_LOG_LEVEL=WARNING" in cli("settings")
    assert "TONALOG_LOG_LEVEL=INFO" in Cli(tmp_path)("settings")
    wrong = cli.ask("frobnicate")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "No such command" in wrong.stderr


def test_a_forked_command_that_takes_too_long_is_killed(tmp_path):
    with pytest.raises(subprocess.TimeoutExpired):
        Cli(tmp_path).ask("scheduler", timeout=0.2)

    assert Cli(tmp_path).ask("--version").returncode == 0
