"""A bundle's card names every corpus it was made from, its licence and whom to name, by itself; no torch is needed."""

import json
from dataclasses import replace

import pytest
from command import ROOT

from tests.unit.corpus_trees import write_crema_d, write_listed_set
from training.bundle.card import fill_card
from training.bundle.credits import (
    SHOWN,
    credit_corpus,
    credit_layout,
    describe_use,
    list_sources,
    write_credits,
)
from training.corpora import Corpus, find_layout, load_corpus
from training.corpora.layouts.listed_sets import SETS
from training.protocols import cross_validate_speakers

FSDD = "Jakobovski/free-spoken-digit-dataset:"
MENARDI = "sound files by Marco Menardi and Paola Dal Zot, http://www.voip.ammdomus.it"


@pytest.fixture(scope="module")
def shipped():
    (manifest,) = (ROOT / "models").glob("*-*/manifest.json")
    return json.loads(manifest.read_text(encoding="utf-8"))


def list_rows(markdown):
    return [line for line in markdown.splitlines() if line.startswith("| ")][2:]


def test_a_set_of_ordinary_speech_is_credited_with_what_its_labels_are(tmp_path):
    corpus = load_corpus("fsdd", write_listed_set(tmp_path, origin=FSDD, licence="CC BY-SA 4.0"), is_inspected=False)

    credit = credit_corpus(find_layout("fsdd"), corpus, use="ordinary speech")

    (row,) = list_rows(write_credits([credit]))
    assert row.startswith(
        "| fsdd | ordinary speech | assumed neutral: nobody rated them (3) | 3 | CC BY-SA 4.0 | https"
    )
    assert "- fsdd: Zohar Jackson and contributors, Free Spoken Digit Dataset" in write_credits([credit])


def test_recordings_under_several_licences_are_counted_by_licence(tmp_path):
    corpus = load_corpus("fsdd", write_listed_set(tmp_path, origin=FSDD), is_inspected=False)
    first, *others = corpus.utterances
    mixed = Corpus(corpus.name, (replace(first, licence="CC BY 4.0"), *others))

    assert credit_corpus(find_layout("fsdd"), mixed, use="")["licence"] == "CC0-1.0 (2), CC BY 4.0 (1)"


def test_a_corpus_whose_recordings_have_no_licences_of_their_own_has_its_layouts(tmp_path):
    corpus = load_corpus("crema-d", write_crema_d(tmp_path), is_inspected=False)

    credit = credit_corpus(find_layout("crema-d"), corpus, use="")

    assert (credit["licence"], credit["n_utterances"]) == ("ODbL-1.0", 24)


@pytest.mark.parametrize("listed", [one for one in SETS if one.attribution], ids=lambda one: one.name)
def test_whoever_a_licence_asks_to_name_is_on_the_card(listed, shipped):
    sources = [*list_sources(), credit_layout(find_layout(listed.name), use="ordinary speech")]

    card = fill_card({**shipped, "training": {**shipped["training"], "corpora": sources}})

    assert all(one in card for one in (listed.title, listed.licence, listed.source, listed.attribution))


def test_what_users_must_see_is_said_apart_and_nothing_else_is():
    menardi, fsdd = (credit_layout(find_layout(name), use="") for name in ("asterisk-it-menardi", "fsdd"))

    shown = write_credits([menardi, fsdd]).partition(SHOWN)[2]

    assert MENARDI in shown
    assert "Zohar Jackson" not in shown
    assert SHOWN not in write_credits([fsdd])


def test_the_next_card_of_the_shipped_model_names_its_sources_from_the_layouts(shipped):
    sources = list_sources()

    card = fill_card({**shipped, "training": {**shipped["training"], "corpora": sources}})

    assert all(one["name"] in card and one["source"] in card for one in sources)
    assert "Cao, Cooper, Keutmann, Gur, Nenkova and Verma" in card
    assert "development only" in card


def test_a_cell_of_somebody_elses_words_stays_one_cell():
    credit = {"name": "mine | yours", "licence": "none\nat all"}

    assert list_rows(write_credits([credit])) == ["| mine \\| yours |  |  |  | none at all |  |"]


def test_the_card_of_any_run_names_its_corpora(tmp_path):
    corpus = load_corpus("fsdd", write_listed_set(tmp_path, origin=FSDD), is_inspected=False)
    manifest = {
        "name": "mine",
        "version": "1.0",
        "opset": 17,
        "quantisation": {"scheme": "static"},
        "speech_gate": None,
        "licence": "MIT",
        "metrics": {"ua": 0.5, "gate": {"left_out": "none was asked for"}, "parity": {"megabytes": 1.0}},
        "training": {"recipe": {"name": "scratch"}, "corpora": [credit_corpus(find_layout("fsdd"), corpus, use="all")]},
    }

    card = fill_card(manifest, type("Facts", (), {"name": "net", "source": "here", "export_notes": ""}))

    assert "| fsdd | all | assumed neutral: nobody rated them (3) | 3 | CC0-1.0 |" in card
    assert "Zohar Jackson" in card


def test_a_use_counts_the_recordings_of_a_corpus_on_each_side(tmp_path):
    acted = load_corpus("crema-d", write_crema_d(tmp_path / "acted"), is_inspected=False)
    ordinary = load_corpus("fsdd", write_listed_set(tmp_path / "fsdd", origin=FSDD), is_inspected=False)

    split = cross_validate_speakers([acted], n_folds=3, further=[ordinary]).splits[0]

    assert describe_use(split, acted) == "8 trained on, 8 stopped early on, 8 tested on"
    assert describe_use(split, ordinary) == "3 trained on"
