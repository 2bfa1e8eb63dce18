"""Every command that a page shows can be typed: it exists with its options and values, and so does every file and target it names."""

import importlib.util
import re
import tomllib
from pathlib import Path

import click
import pytest
from pages import PAGES, ROOT, add_new_bundle, list_commands, list_named, name_page, split_block

from tonalog.cli import cli as root

COMMANDS = {name_page(page): list_commands(page) for page in PAGES}
# What else a reader has, or sets up by what the page says.
OF_A_SHELL = ". { } cd cp curl do done export for ln mktemp pip python3 read_put sed sh until"
OF_A_MACHINE = "apt-get chown dpkg git install journalctl psql runuser systemctl useradd"
OF_A_CLUSTER = "aws celery docker helm kubectl prometheus"
TOOLS = {*f"{OF_A_SHELL} {OF_A_MACHINE} {OF_A_CLUSTER} /opt/tonalog-$version/bin/pip tonalog make python".split()}
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
# What a reader makes or brings, and tells apart from what lies in the repository.
OF_THE_READER = ("models/paper-0.1.0", "models/speech-emotion-0.6.0")


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder with what pages take for granted: the example notes, a new bundle, a backup and its journal of erasures."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "notes").symlink_to(ROOT / "examples" / "notes")
    add_new_bundle(tmp_path)
    for name in ("monday.backup", "erased.jsonl", "note.ogg"):
        (tmp_path / name).touch()
    (tmp_path / "models" / "paper-0.1.0").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parse(words):
    """Have click read the words of a command as it would before running it.

    Raises:
        ClickException: there is no such command, option or value.
    """
    context, left = click.Context(root, info_name="tonalog"), list(words)
    while isinstance(context.command, click.Group):
        if not left:
            raise click.UsageError(f"{context.command_path} needs a command")
        name = left.pop(0)
        command = context.command.get_command(context, name)
        if command is None:
            raise click.UsageError(f"{context.command_path} has no command {name!r}")
        is_group = isinstance(command, click.Group)
        context = click.Context(command, context, name) if is_group else command.make_context(name, left, context)
    return context


def list_unknown(words):
    """What of a sentence's command is unknown; a group alone is known, and so is any placeholder."""
    command, left = root, list(words)
    while isinstance(command, click.Group) and left and re.fullmatch(r"[a-z-]+", left[0]):
        command = command.get_command(click.Context(command), left.pop(0))
        if command is None:
            return list(words)
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return [word for word in re.findall(r"--[a-z][a-z-]*", " ".join(left)) if word not in known]


def find_wrong(words):
    """What is wrong with a command of a block, or None."""
    try:
        parse(words)
    except click.ClickException as error:
        return error.format_message()
    return None


@pytest.mark.parametrize("page", [page for page, commands in COMMANDS.items() if commands])
def test_every_command_of_a_block_is_one_that_can_be_typed(page, reader):
    own = [command for command in COMMANDS[page] if command.words[:1] == ("tonalog",)]

    wrong = {command.text: find_wrong(command.words[1:]) for command in own}

    assert {text: why for text, why in wrong.items() if why} == {}
    assert {command.words[0] for command in COMMANDS[page] if command.words} - TOOLS == set()


@pytest.mark.parametrize("page", PAGES, ids=name_page)
def test_every_command_that_a_sentence_names_exists(page):
    named = [words.split() for line in list_named(page) for words in re.split(r" \| (?:tonalog )?", line)]

    unknown = {" ".join(words): list_unknown(words) for words in named}

    assert {text: what for text, what in unknown.items() if what} == {}


def test_every_target_and_variable_of_make_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    asked = [
        command.words[1:] for commands in COMMANDS.values() for command in commands if command.words[:1] == ("make",)
    ]

    assert len(asked) > 5
    for target, *values in asked:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
        assert [name for name in (value.partition("=")[0] for value in values) if f"$({name})" not in makefile] == []


def test_every_script_exists_with_its_options():
    asked = [
        command.words[1:] for commands in COMMANDS.values() for command in commands if command.words[:1] == ("python",)
    ]

    assert len(asked) > 10
    for words in asked:
        module = importlib.util.find_spec(words[1]) if words[0] == "-m" else None
        file = Path(module.origin) if module else ROOT / words[0]
        assert file.is_file(), words
        source = file.read_text(encoding="utf-8") if file.name != "__init__.py" else ""
        assert [word for word in words[1:] if word.startswith("--") and f'"{word}"' not in source] == [], words


def test_every_extra_and_every_file_of_the_repository_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    every = [word for commands in COMMANDS.values() for command in commands for word in command.words]
    named = [name for word in every for name in re.findall(r"^tonalog\[([a-z]+)\]$", word)]
    files = [word for word in every if word.partition("/")[0] in FOLDERS and "/" in word and word not in OF_THE_READER]

    assert named
    assert set(named) <= set(extras)
    assert len(set(files)) > 10
    assert [file for file in files if not list(ROOT.glob(file.rstrip("/.")))] == []


def test_a_block_is_split_as_a_shell_would():
    block = 'A=1 .venv/bin/tonalog compare 1 2 --json > out.json  # a comment\n(cd x && tonalog status) | make "a b"\n'
    block += "docker compose exec scheduler tonalog scan\n"

    found = split_block("page.md", block)

    assert [command.words for command in found] == [
        ("tonalog", "compare", "1", "2", "--json"),
        ("cd", "x"),
        ("tonalog", "status"),
        ("make", "a b"),
        ("tonalog", "scan"),
    ]
    assert found[0].variables == ("A",)


@pytest.mark.parametrize("words", ["stats", "erase --subjekt ana", "keys create --scope all", "models", "run --job 1"])
def test_a_command_that_cannot_be_typed_is_found(words, reader):
    assert find_wrong(words.split())


def test_an_unknown_word_of_a_sentence_is_found():
    assert list_unknown(["dead", "--reasn", "X"]) == ["--reasn"]
    assert list_unknown(["modles", "add"]) == ["modles", "add"]
