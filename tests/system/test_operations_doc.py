"""docs/operations.md: its blocks run as they stand, in their order (tests/unit/test_page_commands.py has the options of every page)."""

import re
import shlex
import shutil

import pytest
from command import NOTES, ROOT, Cli

from config.settings import Settings

PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.+?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in BLOCKS
    for line in block.splitlines()
    if line.startswith("tonalog ")
]


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
