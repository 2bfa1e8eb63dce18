"""Where the windows of a recipe with stages come from: several corpora as one, and what may not train."""

import shutil

import numpy as np
import pytest

from tests.unit.corpus_trees import write_crema_d, write_listed_set
from training.data.copies import TRAINED
from training.data.views import Amounts, Source, find_view, identify_kept, identify_view, load_kept, load_trained
from training.protocols.roles import RoleError

FSDD = "Jakobovski/free-spoken-digit-dataset:"


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora")
    return str(write_crema_d(root / "crema-d")), str(write_listed_set(root / "fsdd", origin=FSDD))


def test_further_corpora_come_behind_the_first_and_their_speakers_are_nobody_elses(trees):
    alone = load_trained(Source((("crema-d", trees[0]),))).utterances

    both = load_trained(Source((("crema-d", trees[0]), ("fsdd", trees[1])))).utterances

    assert [(u.path, u.speaker) for u in both[: len(alone)]] == [(u.path, u.speaker) for u in alone]
    assert {u.speaker for u in both[len(alone) :]} == {"fsdd/a_01", "fsdd/a_02"}
    assert all(u.is_assumed for u in both[len(alone) :])


@pytest.mark.parametrize("name", ["everyday", "varied"])
def test_a_copy_has_the_same_windows_each_time_and_others_than_the_clean_one(trees, name):
    source = Source((("crema-d", trees[0]),))
    clean = {window.name: window for window in find_view(source, "clean").make()}

    copies, again = ([*find_view(source, name).make()] for _ in range(2))
    n_same = sum(np.array_equal(window.signal, clean[window.name].signal) for window in copies)

    assert 0 < len(copies) == find_view(source, name).n_windows <= len(clean)
    assert n_same < len(copies) / 2  # Chance may leave a few as they are.
    for window, other in zip(copies, again, strict=True):
        assert (window.speaker, window.kind) == (clean[window.name].speaker, clean[window.name].kind)
        assert np.array_equal(window.signal, other.signal)


def test_what_nobody_rated_is_in_few_copies_and_what_somebody_rated_in_all(trees):
    alone = Source((("crema-d", trees[0]),))
    both = Source((("crema-d", trees[0]), ("fsdd", trees[1])))

    with_assumed = {name for name in TRAINED if find_view(both, name).n_windows > find_view(alone, name).n_windows}

    assert with_assumed == {"clean", "varied", "notes-clean", "notes-room", "notes-phone"}


def test_voices_that_nobody_told_apart_are_not_joined(trees, tmp_path):
    unknown = str(write_listed_set(tmp_path / "unknown", origin=FSDD, speakers=["unknown"] * 9))
    alone = Source((("crema-d", trees[0]),))
    both = Source((("crema-d", trees[0]), ("fsdd", unknown)))

    assert find_view(both, "clean").n_windows > find_view(alone, "clean").n_windows
    assert find_view(both, "notes-clean").n_windows == find_view(alone, "notes-clean").n_windows


def test_what_is_for_selection_only_is_refused_before_a_window_is_made_of_it(trees, tmp_path):
    left_out = write_listed_set(tmp_path, origin="Ethio2021/ASED_V1:", kind="acted", emotions=("anger",))
    source = Source((("crema-d", trees[0]), ("ased", str(left_out))))

    with pytest.raises(RoleError, match="for selection only"):
        find_view(source, "clean")


def test_a_views_identity_is_what_its_corpora_hold_and_not_where_they_lie(trees, tmp_path):
    moved = shutil.copytree(trees[0], tmp_path / "moved")
    here, there = (identify_view(Source((("crema-d", str(root)),)), "clean") for root in (trees[0], moved))
    further = identify_view(Source((("crema-d", trees[0]), ("fsdd", trees[1]))), "clean")
    fewer = identify_view(Source((("crema-d", trees[0]),), amounts=Amounts(n_speakers=1)), "clean")

    with (moved / "manifest.csv").open("a", encoding="utf-8") as table:
        table.write("1001_DFA_ANG_XX,defect\n")
    relabelled = identify_view(Source((("crema-d", str(shutil.copytree(moved, tmp_path / "again"))),)), "clean")

    assert here == there
    assert relabelled != here
    assert len({str(one) for one in (here, further, fewer)}) == 3


def test_a_corpus_that_is_left_out_is_in_every_view_and_in_nothing_that_is_kept(trees):
    trained = (("crema-d", trees[0]), ("fsdd", trees[1]))
    source = Source(trained, left_out=("fsdd",))

    assert identify_view(source, "clean") == identify_view(Source(trained), "clean")
    assert load_kept(source).utterances == load_trained(Source(trained[:1])).utterances
    assert load_kept(Source(trained)).utterances == load_trained(Source(trained)).utterances
    assert identify_kept(source) != identify_kept(Source(trained))


def test_an_unknown_copy_is_refused_with_those_there_are(trees):
    with pytest.raises(ValueError, match="'fsdd-clean' is unknown, allowed are"):
        find_view(Source((("crema-d", trees[0]),)), "fsdd-clean")
