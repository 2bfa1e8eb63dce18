"""README.md: its commands run as they stand, in their order, after what it says to do first; its query gives rows; its links lead somewhere."""

import re
import sqlite3

import pytest
from command import ROOT
from compose import raw_services
from pages import SERVICES, list_commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = list_commands(ROOT / "README.md")


def test_every_command_runs_in_its_order(updated):
    printed = updated.printed

    assert "14 scored" in printed["run examples/notes"]
    assert "speech-emotion-0.7.0" in printed["reprocess --model"]
    assert "speech-emotion-0.7.0 is active" in printed["models activate"]
    assert "speech-emotion-0.7.0" in printed["compare 0.6.0"]
    assert (updated.folder / "ana.html").read_text().startswith("<!doctype html>")
    assert (updated.folder / "scores").is_dir()


def test_the_query_gives_a_row_for_each_scored_note(updated):
    (query,) = re.findall(r"^```sql\n(.+?);\n```", README, re.MULTILINE | re.DOTALL)
    with sqlite3.connect(updated.folder / "home" / "tonalog.db") as database:
        assert database.execute(query).fetchall()


def test_what_runs_until_it_is_stopped_is_a_service_of_the_compose_file():
    named = {command.words[1] for command in COMMANDS if command.words[0] == "tonalog"} & set(SERVICES)

    assert named == set(SERVICES)
    assert named == {service["command"][0] for service in raw_services().values() if "command" in service} & named


@pytest.mark.parametrize(
    "page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda page: page.name
)
def test_every_link_to_a_file_leads_to_one(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"
