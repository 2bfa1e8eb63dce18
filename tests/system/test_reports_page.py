"""docs/reports.md, command by command, after a real run over the example notes; its words about pictures are held against the pages."""

import re

import pytest
from command import NOTES, ROOT

PAGE = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^tonalog (report .+)$", PAGE, re.MULTILINE)
MAX_PICTURE_BYTES = 200_000


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_writes_its_page(embedded, line):
    *words, name = line.split()
    out = embedded.folder / name

    said = embedded(*words, out)

    assert f"Wrote {out}" in said
    html = out.read_text()
    assert html.startswith("<!doctype html>")
    assert "<script" not in html
    assert ("<audio" in html) == ("--with-audio" in words)


def test_the_example_says_what_it_is_and_shows_three_states(embedded):
    embedded("report", "--example", NOTES, "--out", embedded.folder / "example.html")
    html = (embedded.folder / "example.html").read_text()

    assert "An example. The notes are real recordings" in html
    assert "happiness more than usual, since about" in html
    assert "all measures too few notes yet" in html
    assert "No recordings of 'Mira'" in embedded("report", "--subject", "Mira", "--out", "/nowhere", code=1)


def test_the_page_has_every_option_and_every_picture():
    assert len(COMMANDS) == 5
    pictures = re.findall(r"!\[[^\]]{20,}\]\((\S+)\)", PAGE)
    assert sorted(pictures) == sorted(f"pictures/{file.name}" for file in (ROOT / "docs" / "pictures").iterdir())
    for picture in pictures:
        content = (ROOT / "docs" / picture).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < MAX_PICTURE_BYTES
