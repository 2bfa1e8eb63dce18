"""Names of corpora, people and groups stay text in pages, cards, spreadsheets and on screens."""

import csv
import io
import json
from html import unescape
from types import SimpleNamespace

import pytest
from command import ROOT
from markdown_it import MarkdownIt

from config.escaping import code_span, escape_html, escape_markdown, read_cell, write_cell
from config.plain_text import exact
from training.bundle.card import fill_card

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=https://example.org/seen>",
    "![](https://example.org/seen.png)",
    "[click](javascript:alert(1))",
    "<https://example.org>",
    "one | two",
    "one\n\n# two\n\n| a |\n| - |",
    "# heading",
    "- item",
    "1. item",
    "    code",
    "&lt;b&gt;",
    "*ana* and _ben_",
    "~~ana~~",
    "`ana`",
    "\\",
    "ends with \\",
    "\\|",
    "``` ",
    "\u202eana",
    "an\u200ba",
    "\x1b[2Jana",
    "\udcffana",
    "plain",
)
FORMULAS = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1"),
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff201"),
    *("a;=1", "a;b;+1", "a\n=1", "a\t=1"),
)
SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def render(text):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def kinds(tokens):
    return {inner.type for token in tokens for inner in (token, *(token.children or ()))}


def words(token):
    return "".join(child.content for child in token.children)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_is_text_in_markdown_wherever_it_stands(name):
    row = render(f"| head | next |\n| --- | --- |\n| {escape_markdown(name)} | next |")
    alone = render(f"{escape_markdown(name)}\n")
    cells = [token for token in row if token.type == "inline"]

    assert [words(cell) for cell in cells] == ["head", "next", exact(name).strip(), "next"]
    assert [token.type for token in alone] == ["paragraph_open", "inline", "paragraph_close"]
    assert words(alone[1]) == exact(name).strip()
    assert kinds(row) | kinds(alone) <= {
        *("table_open", "thead_open", "tr_open", "th_open", "th_close", "tr_close", "thead_close", "tbody_open"),
        *("td_open", "td_close", "tbody_close", "table_close", "paragraph_open", "paragraph_close"),
        *("inline", "text", "text_special"),
    }


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_stays_in_its_span_of_code(name):
    (_, inline, _) = render(f"Made at {code_span(name)}.")

    assert [child.type for child in inline.children] == ["text", "code_inline", "text"]
    assert inline.children[1].content.strip() == exact(name).strip()


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_is_text_in_a_page_and_every_sign_of_it_is_seen(name):
    written = escape_html(name)

    assert not set(written) & set("<>\"'")
    assert unescape(written) == exact(name)


@pytest.mark.parametrize("name", [*FORMULAS, *HOSTILE, "'", "'=1", "''=1", "a;'=1", "", "ana"], ids=ascii)
def test_a_cell_is_read_as_it_was_written(name):
    assert read_cell(write_cell(name)) == name


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("name", FORMULAS, ids=ascii)
def test_no_cell_is_a_formula_whatever_a_spreadsheet_takes_for_the_separator(name, separator):
    held = io.StringIO()
    csv.writer(held).writerow([write_cell(name), "next"])

    cells = [cell for row in csv.reader(io.StringIO(held.getvalue(), newline=""), delimiter=separator) for cell in row]

    parts = [part for cell in cells for part in cell.replace("\r", "\n").split("\n")]
    assert [part for part in parts if part.lstrip(' \t"').startswith(SIGNS)] == []


def hostile_manifest():
    """The newest shipped manifest, with a hostile text wherever it has one of somebody else's."""
    newest = max((ROOT / "models").glob("*-*/manifest.json"))
    manifest = json.loads(newest.read_text(encoding="utf-8"))
    everything = "<script> ![](https://example.org) | a | `b`\n\n# two"
    manifest["name"] = manifest["version"] = manifest["metrics"]["revision"] = everything
    manifest["metrics"]["defects"] = [everything, everything]
    for one in manifest["metrics"]["slices"]["slices"]:
        one["name"] = everything
    for one in manifest["metrics"]["slices"]["differences"]:
        one["first"] = one["attribute"] = everything
    for one in manifest["metrics"]["dimensions"]:
        one["corpus"] = everything
    return manifest


def test_a_card_holds_no_markup_of_a_corpus():
    newest = max((ROOT / "models").glob("*-*/manifest.json"))
    as_it_is = render(fill_card(json.loads(newest.read_text(encoding="utf-8"))))

    hostile = render(fill_card(hostile_manifest()))

    assert [token.type for token in hostile] == [token.type for token in as_it_is]
    assert kinds(hostile) - kinds(as_it_is) <= {"text_special"}
    assert sum(token.type == "html_block" for token in hostile) == sum(token.type == "html_block" for token in as_it_is)
    assert not [child for token in hostile for child in token.children or () if child.type in {"image", "html_inline"}]


RUN_MANIFEST = {
    "opset": 17,
    "quantisation": {"scheme": "dynamic"},
    "speech_gate": None,
    "metrics": {"ua": 0.5, "parity": {"megabytes": 1.0}, "gate": {"left_out": "none was asked for"}},
    "training": {"recipe": {"name": "scratch"}, "corpora": [{"name": "ana", "licence": "mine", "n_utterances": 3}]},
    "licence": "mine",
    "name": "plain",
    "version": "1.0",
}
FACTS = SimpleNamespace(name="light-sernet", source="arXiv 2110.03435", export_notes="None.")


def test_the_card_of_a_run_holds_no_markup_of_a_corpus():
    everything = "<script> ![](https://example.org) | a | `b`\n\n# two"
    hostile = {
        **RUN_MANIFEST,
        "name": everything,
        "version": everything,
        "licence": everything,
        "metrics": {**RUN_MANIFEST["metrics"], everything: everything, "gate": {"left_out": everything}},
        "training": {
            "recipe": {"name": everything},
            "pretrained": "```\n# two",
            "corpora": [{"name": everything, "licence": everything, "n_utterances": 3}],
        },
    }
    plain = {**RUN_MANIFEST, "metrics": {**RUN_MANIFEST["metrics"], "wa": 0.5}}

    shown = render(fill_card(hostile, FACTS))

    assert [token.type for token in shown] == [token.type for token in render(fill_card(plain, FACTS))]
    assert kinds(shown).isdisjoint({"html_block", "html_inline", "image", "link_open"})
