"""Whether `tonalog` has a command that a file or a page names; runs nothing."""

import click

from tonalog.cli import cli


def check_command(words):
    """Raise where there is no such command or option."""
    command, name = cli, "tonalog"
    while isinstance(command, click.Group):
        name, *words = words
        command = command.get_command(click.Context(command), name)
    command.make_context(name, words)
