"""What `--help` says: every command has an example that names it, and runs nothing."""

import click
import pytest
from click.testing import CliRunner

from tonalog.cli import cli

# `train` and its kin need torch to be imported; `make test-train` calls them.
TRAINING = {"train", "evaluate", "bundle"}


def commands(group, words):
    context = click.Context(group)
    for name in group.list_commands(context):
        if not words and name in TRAINING:
            continue
        command = group.get_command(context, name)
        here = (*words, name)
        yield from commands(command, here) if isinstance(command, click.Group) else [here]


@pytest.mark.parametrize("words", list(commands(cli, ())), ids=" ".join)
def test_every_command_shows_an_example_of_itself(words):
    done = CliRunner().invoke(cli, [*words, "--help"])

    assert done.exit_code == 0
    _, _, examples = done.output.partition("Example")
    assert f"tonalog {' '.join(words)}" in examples
