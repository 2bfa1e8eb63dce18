"""The card of every shipped bundle says what its manifest says, and no figure of its own; no torch is needed."""

import json
import re

import pytest
from command import ROOT

from training.bundle.card import fill_card
from training.bundle.figures import TEMPLATES

BUNDLES = sorted(path.parent for path in (ROOT / "models").glob("*-*/manifest.json"))


def read(bundle):
    return json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))


def list_leaves(values, path=()):
    """Every number of nested values, with the way to it."""
    if isinstance(values, dict | list):
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from list_leaves(value, (*path, key))
    elif isinstance(values, float):
        yield path, values


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_the_card_is_what_the_manifest_makes_of_it(bundle):
    card = (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")

    assert fill_card(read(bundle)) == card


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_a_figure_that_were_another_would_change_the_card(bundle):
    manifest = read(bundle)
    card = fill_card(manifest)
    measured = {name: manifest["metrics"][name] for name in ("evaluation", "elsewhere", "dimensions", "gate", "int8")}
    unused = []
    for (*way, last), value in list_leaves(measured):
        if "recipe" in way:
            continue
        part = measured
        for key in way:
            part = part[key]
        part[last] = value + 0.5
        if fill_card(manifest) == card:
            unused.append((*way, last))
        part[last] = value

    # On record and not on the card: the untuned encoder on further views, one view's ECE, two figures of int8, and the recall of what
    # has scores alone.
    beside = {("evaluation", "frozen"), ("evaluation", "calibration"), ("int8", "same_label"), ("int8", "median_dp")}
    if len(measured["evaluation"]["seeds"]) == 1:
        beside.add(("evaluation", "by_seed"))  # The table already is of that one seed.
    assert {way[:2] for way in unused if way[-1] != "recall_of_scored"} <= beside


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.md")), ids=lambda path: path.stem)
def test_no_measured_figure_is_typed_into_a_template(template):
    text = template.read_text(encoding="utf-8")
    allowed = {"0.95", "1.0", "0.1", "2024/1689"}  # Peak, licence, another version and a law.

    assert set(re.findall(r"(?<![\w.])\d+\.\d+", text)) <= allowed
