"""The `tonalog` command in a folder of its own, and one embedded run that several tests read."""

import pytest
from command import NOTES, Cli


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """The example notes, scored once by `tonalog run` on the embedded default."""
    run = Cli(tmp_path_factory.mktemp("embedded"))
    run.printed = run("run", NOTES)
    return run
