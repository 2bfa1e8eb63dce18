"""`tonalog settings`: every variable, its value and what it means."""

from __future__ import annotations

import click

from config.setting_lines import describe
from config.settings import Settings
from tonalog.screen import say


@click.command(name="settings", epilog="Example: TONALOG_HOME=/srv/tonalog tonalog settings")
def settings_command() -> None:
    """List every TONALOG_* setting with its value; secrets are masked, '*' marks what you changed."""
    for line in describe(Settings.read()):
        mark = " " if line.is_default else "*"
        say(f"{mark} {line.variable}={line.value}", f"      {line.description}")
