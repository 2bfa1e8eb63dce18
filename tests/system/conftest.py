"""The `tonalog` command in a folder of its own, and two runs that several tests read: the demo, and what README.md goes on with."""

import shutil

import pytest
from command import NOTES, ROOT, Cli
from pages import SERVICES, add_new_bundle, list_commands


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """The example notes, scored once by `tonalog run` on the embedded default."""
    run = Cli(tmp_path_factory.mktemp("embedded"))
    run.printed = run("run", NOTES)
    return run


@pytest.fixture(scope="session")
def updated(tmp_path_factory, embedded):
    """A folder where every command of README.md has run in its order, and what each printed by its first two words.

    The first, which scores the example notes, is that of `embedded`.
    """
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(embedded.folder / "home", folder / "home")
    add_new_bundle(folder)
    run = Cli(folder, cwd=folder)
    commands = [command.words[1:] for command in list_commands(ROOT / "README.md") if command.words[0] == "tonalog"]
    assert commands[0] == ("run", "examples/notes")
    run.printed = {"run examples/notes": embedded.printed}
    for words in commands[1:]:
        if words[0] not in SERVICES:
            run.printed[" ".join(words[:2])] = run(*words)
    return run
