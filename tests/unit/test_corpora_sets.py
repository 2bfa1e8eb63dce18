"""Sets of ordinary speech and corpora to choose by: what they are, whose they are, and what nobody may do with them."""

from collections import Counter

import pytest

from tests.unit.corpus_trees import write_crema_d, write_listed_set
from training.corpora import Kind, find_layout, list_layouts, load_corpus, load_decoded
from training.corpora.layouts.listed_sets import SETS

ORDINARY = [one for one in SETS if not one.is_selection_only]
LEFT_OUT = [one for one in SETS if one.is_selection_only]
FSDD = next(one for one in SETS if one.title == "fsdd")
EVERY_LABEL = ("anger", "happiness", "neutral", "sadness")


def name_of(listed):
    return listed.name


def load_names(name, root):
    return load_corpus(name, root, is_inspected=False)


def test_eleven_sets_of_ordinary_speech_and_three_corpora_to_choose_by_are_found_by_name():
    assert len(ORDINARY) == 11
    assert [one.name for one in LEFT_OUT] == ["ased", "emovo", "urdu"]
    assert {one.name for one in SETS} <= set(list_layouts())


@pytest.mark.parametrize("listed", ORDINARY, ids=name_of)
def test_every_set_of_ordinary_speech_knows_its_source_licence_and_whom_to_name(listed):
    layout = find_layout(listed.name)

    assert all((layout.title, layout.licence, layout.source, layout.attribution))


@pytest.mark.parametrize("listed", ORDINARY, ids=name_of)
def test_ordinary_speech_is_assumed_neutral_and_may_train(listed, tmp_path):
    corpus = load_corpus(listed.name, write_listed_set(tmp_path, origin=listed.origins[-1]))

    assert corpus.is_inspected
    assert corpus.defects == ()
    assert Counter((u.corpus, u.speaker, u.label) for u in corpus.utterances) == {
        (listed.title, "a_01", "neutral"): 2,
        (listed.title, "a_02", "neutral"): 1,
    }
    assert all(u.is_assumed and not u.is_selection_only and u.licence == "CC0-1.0" for u in corpus.utterances)


def test_what_nobody_rated_is_still_known_as_such_once_its_audio_is_in_memory(tmp_path):
    heard = load_decoded("fsdd", write_listed_set(tmp_path / "fsdd", origin=FSDD.origins[0]))
    acted = load_decoded("crema-d", write_crema_d(tmp_path / "crema-d", n_actors=1))

    assert [u.is_assumed for u in heard.utterances] == [True] * 3
    assert not any(u.is_assumed for u in acted.utterances)


@pytest.mark.parametrize("listed", LEFT_OUT, ids=name_of)
def test_a_corpus_to_choose_by_is_rated_and_marked_whatever_its_rows_say(listed, tmp_path):
    root = write_listed_set(
        tmp_path, origin=listed.origins[0], kind="acted", emotions=EVERY_LABEL, speakers=["a_01"] * 4
    )

    corpus = load_names(listed.name, root)

    assert corpus.count_labels() == dict.fromkeys(EVERY_LABEL, 1)
    assert all(u.is_selection_only and not u.is_assumed and u.kind is Kind.ACTED for u in corpus.utterances)


@pytest.mark.parametrize("name", ["fsdd", "manifest"])
def test_a_set_without_speaker_ids_is_one_speaker(name, tmp_path):
    corpus = load_names(name, write_listed_set(tmp_path, origin=FSDD.origins[0], speakers=["unknown"] * 3))

    assert len(corpus.speakers) == 1
    assert not any(u.is_speaker_known for u in corpus.utterances)


def test_a_set_whose_speakers_are_known_in_part_is_refused_since_the_others_may_be_anybody(tmp_path):
    root = write_listed_set(tmp_path, origin=FSDD.origins[0], speakers=["a_01", "unknown", "a_02"])

    with pytest.raises(ValueError, match=r"1 of 3 rows with speaker unknown.*name every speaker"):
        load_names("fsdd", root)


def test_a_folder_of_another_set_is_refused_so_that_no_left_out_corpus_comes_in_by_another_name(tmp_path):
    root = write_listed_set(tmp_path, origin=LEFT_OUT[0].origins[0], kind="acted")

    with pytest.raises(ValueError, match=r"line 2 comes from 'Ethio2021/.*, which is not fsdd: allowed is Jakobovski/"):
        load_names("fsdd", root)


def test_a_manifest_of_recordings_that_are_for_tests_only_is_for_selection_only(tmp_path):
    root = write_listed_set(tmp_path, origin="anybody:", kind="acted", licence="research only - TEST ONLY")

    assert all(u.is_selection_only for u in load_names("manifest", root).utterances)


def test_anybodys_manifest_may_hold_ordinary_speech_beside_acted_recordings(tmp_path):
    (tmp_path / "manifest.csv").write_text(
        "file,speaker,emotion,kind\na.wav,ann,neutral,assumed_neutral\nb.wav,ann,anger,acted\nc.wav,ann,neutral,\n",
        encoding="utf-8",
    )

    utterances = load_names("manifest", tmp_path).utterances

    assert [(u.name, u.kind, u.is_assumed) for u in utterances] == [
        ("a", Kind.ASSUMED_NEUTRAL, True),
        ("b", Kind.ACTED, False),
        ("c", Kind.LABELLED, False),
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.wav,ann,neutral,guessed", "line 2 has kind 'guessed'; allowed are labelled, acted"),
        ("a.wav,ann,anger,assumed_neutral", "line 2 has kind assumed_neutral and emotion 'anger'; allowed is neutral"),
    ],
)
def test_a_kind_that_cannot_be_meant_is_refused(row, said, tmp_path):
    (tmp_path / "manifest.csv").write_text(f"file,speaker,emotion,kind\n{row}\n", encoding="utf-8")

    with pytest.raises(ValueError, match=said):
        load_names("manifest", tmp_path)


@pytest.mark.parametrize("column", ["kind", "licence"])
def test_a_row_of_a_set_says_its_kind_and_its_licence(column, tmp_path):
    root = write_listed_set(tmp_path, origin=FSDD.origins[0], **{column: ""})

    with pytest.raises(ValueError, match=f"line 2 has no {column}"):
        load_names("fsdd", root)


def test_a_set_without_the_column_that_says_its_kind_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("file,speaker,emotion\na.wav,ann,neutral\n", encoding="utf-8")

    with pytest.raises(ValueError, match="no column kind, source, licence"):
        load_names("fsdd", tmp_path)
