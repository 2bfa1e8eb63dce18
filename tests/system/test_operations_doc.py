"""docs/operations.md: every command in it exists, and those in its blocks run as they stand, in their order."""

import re
import shlex
import shutil

import click
import pytest
from command import NOTES, ROOT, Cli

from config.settings import Settings
from tonalog.cli import cli as root

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("tonalog ")
]
NAMED = [shlex.split(words)[1:] for words in re.findall(r"`(tonalog [^`]+)`", PAGE)]


@pytest.mark.parametrize("words", [*COMMANDS, *NAMED], ids=" ".join)
def test_a_command_and_its_options_exist(words):
    command, left = root, list(words)
    while isinstance(command, click.Group):
        assert left, f"{command.name} needs a command"
        command = command.get_command(click.Context(command), left.pop(0))
        assert command is not None, words
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    assert {word for word in left if word.startswith("--")} <= known
    assert len(left) == 0 or command.params


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_a_block_is_taken_as_it_stands(words, monkeypatch):
    monkeypatch.chdir(ROOT)  # where examples/notes is
    context, left = click.Context(root), list(words)
    while isinstance(context.command, click.Group):
        command = context.command.get_command(context, left.pop(0))
        context = (
            command.make_context(command.name, list(left))
            if not isinstance(command, click.Group)
            else click.Context(command)
        )


def test_a_setting_that_is_named_exists():
    named = set(re.findall(r"TONALOG_([A-Z0-9_]+)", PAGE))

    assert named - {name.upper() for name in Settings.model_fields} == set()


@pytest.mark.long
def test_every_block_runs_in_its_order(tmp_path):
    run = Cli(tmp_path, cwd=tmp_path)
    for person in ("ana", "vera"):
        shutil.copytree(NOTES / person, tmp_path / "examples" / "notes" / person)
    run.variables["TONALOG_STORAGE_URL"] = str(tmp_path / "examples" / "notes")
    printed = {" ".join(words): run(*words) for words in COMMANDS}

    assert "erased again" in printed["db restore monday.backup --erased erased.jsonl --replace"]
    assert (
        "unknown" in printed["capacity --hours-per-night 500 --window 6h"]
    )  # of the database's growth, after a few notes
    assert "measured here" in printed["capacity --hours-per-night 500 --window 6h --note-s 15 --measure examples/notes"]
    assert len(COMMANDS) > 20
    assert not (tmp_path / "examples" / "notes" / "ana").exists() or not list(
        (tmp_path / "examples/notes/ana").glob("*.ogg")
    )
