"""README.md: its commands run as they stand, in their order, after what it says to do first; its query gives rows; its links lead somewhere."""

import json
import re
import shutil
import sqlite3

import pytest
from command import NOTES, ROOT, Cli
from compose import raw_services

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.+?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("#")[0].split()[1:]
    for block in BLOCKS
    for line in block.splitlines()
    if re.match(r"(\.venv/bin/)?tonalog ", line)
]
# Commands that run until somebody stops them: tests/system/test_compose.py starts and stops each.
SERVICES = ("scheduler", "worker", "api", "webhooks")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the example notes and a new version of the model, as somebody has who follows the README."""
    folder = tmp_path_factory.mktemp("readme")
    cli = Cli(folder, cwd=folder)
    shutil.copytree(NOTES, cli.folder / "examples" / "notes")
    shipped = max((ROOT / "models").glob("*/manifest.json"), key=lambda path: path.parent.name).parent
    new = shutil.copytree(shipped, cli.folder / "new" / "speech-emotion-0.7.0")
    manifest = json.loads((new / "manifest.json").read_text())
    (new / "manifest.json").write_text(json.dumps(manifest | {"version": "0.7.0"}))
    return cli


def test_every_command_runs_in_its_order(installed):
    printed = {}
    for words in COMMANDS:
        if words[0] not in SERVICES:
            printed[" ".join(words[:2])] = installed(*words)

    assert "14 scored" in printed["run examples/notes"]
    assert "speech-emotion-0.7.0" in printed["reprocess --model"]
    assert "speech-emotion-0.7.0 is active" in printed["models activate"]
    assert "speech-emotion-0.7.0" in printed["compare 0.6.0"]
    assert (installed.folder / "ana.html").read_text().startswith("<!doctype html>")
    assert (installed.folder / "scores").is_dir()


def test_the_query_gives_a_row_for_each_scored_note(installed):
    (query,) = re.findall(r"^```sql\n(.+?);\n```", README, re.MULTILINE | re.DOTALL)
    with sqlite3.connect(installed.folder / "home" / "tonalog.db") as database:
        assert database.execute(query).fetchall()


def test_what_runs_until_it_is_stopped_is_a_service_of_the_compose_file():
    named = {words[0] for words in COMMANDS} & set(SERVICES)

    assert named == set(SERVICES)
    assert named == {service["command"][0] for service in raw_services().values() if "command" in service} & named


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name
)
def test_every_link_to_a_file_leads_to_one(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"
