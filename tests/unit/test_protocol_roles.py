"""What nobody rated is no truth, and what is for selection only is never trained on."""

from pathlib import Path

import pytest

from tests.unit.corpus_trees import write_crema_d, write_listed_set
from training.corpora import LABELS, Corpus, Kind, Utterance, load_corpus
from training.fitting.plan import Plan
from training.fitting.presets import RECIPES
from training.protocols import (
    RoleError,
    cross_corpora,
    cross_validate_speakers,
    hold_out_shuffled,
    leave_one_session_out,
)
from training.protocols.roles import check_roles


def make_corpus(name, *, n_speakers=10, n_each=4, **further):
    """Two speakers a session, every label or neutral alone, no file behind any path."""
    is_assumed = further.get("kind") is Kind.ASSUMED_NEUTRAL
    return Corpus(
        name,
        tuple(
            Utterance(
                Path(f"{name}/{speaker:02d}-{number}.wav"),
                f"{speaker:02d}-{number}",
                f"{speaker:02d}",
                "neutral" if is_assumed else LABELS[number % len(LABELS)],
                name,
                session=1 + speaker // 2,
                **further,
            )
            for speaker in range(n_speakers)
            for number in range(n_each)
        ),
    )


ACTED = make_corpus("CREMA-D")
ORDINARY = make_corpus("fsdd", kind=Kind.ASSUMED_NEUTRAL)
LEFT_OUT = make_corpus("ASED", is_selection_only=True, licence="NO LICENCE STATED - TEST ONLY")


@pytest.mark.parametrize(
    "divide",
    [
        lambda: leave_one_session_out(ORDINARY),
        lambda: cross_validate_speakers([ACTED, ORDINARY]),
        lambda: hold_out_shuffled([ORDINARY, ACTED]),
        lambda: cross_corpora([ACTED], ORDINARY),
        lambda: cross_corpora([ACTED, ORDINARY], make_corpus("RAVDESS")),
    ],
    ids=["sessions", "speakers", "hold-out", "tested", "validated"],
)
def test_what_nobody_rated_is_refused_as_truth_by_every_protocol(divide):
    with pytest.raises(RoleError, match=r"fsdd/.* its label neutral is assumed: nobody rated it.*allowed is train"):
        divide()


@pytest.mark.parametrize(
    "divide",
    [
        lambda: leave_one_session_out(LEFT_OUT),
        lambda: leave_one_session_out(ACTED, further=[LEFT_OUT]),
        lambda: cross_validate_speakers([ACTED, LEFT_OUT]),
        lambda: cross_validate_speakers([ACTED], further=[LEFT_OUT]),
        lambda: hold_out_shuffled([ACTED, LEFT_OUT]),
        lambda: cross_corpora([LEFT_OUT], ACTED),
        lambda: cross_corpora([ACTED], make_corpus("RAVDESS"), further=[LEFT_OUT]),
    ],
    ids=["sessions", "further", "speakers", "further of speakers", "hold-out", "trained", "further of corpora"],
)
def test_what_is_for_selection_only_trains_in_no_protocol(divide):
    with pytest.raises(RoleError, match=r"ASED/.* is in train, and ASED is for selection only \(licence: NO LICENCE"):
        divide()


def test_the_error_names_recording_and_side():
    with pytest.raises(RoleError) as raised:
        check_roles({"train": ACTED.utterances, "validate": ORDINARY.utterances[:1]})

    assert raised.value.what == "fsdd/00-0"
    assert raised.value.side == "validate"


def test_a_corpus_to_choose_by_may_be_tested():
    (split,) = cross_corpora([ACTED], LEFT_OUT).splits

    assert split.test == LEFT_OUT.utterances


def test_ordinary_speech_trains_as_a_further_corpus_in_every_fold():
    protocols = (
        leave_one_session_out(ACTED, further=[ORDINARY]),
        cross_validate_speakers([ACTED], further=[ORDINARY]),
        cross_corpora([ACTED], LEFT_OUT, further=[ORDINARY]),
    )

    for protocol in protocols:
        assert "fsdd trains in every fold and is never tested" in protocol.description
        for split in protocol.splits:
            assert set(ORDINARY.utterances) <= set(split.train)
            assert not any(u.is_assumed for u in (*split.validate, *split.test))


def test_ordinary_speech_does_not_bend_the_weights_of_the_classes():
    alone, beside = (cross_validate_speakers([ACTED], further=further) for further in ([], [ORDINARY]))

    for label in LABELS:
        assert [one.count_training(label) for one in alone.splits] == [
            one.count_training(label) for one in beside.splits
        ]


def test_a_set_without_speaker_ids_cannot_be_parted(tmp_path):
    listed = load_corpus(
        "manifest", write_listed_set(tmp_path, origin="anybody:", kind="acted", speakers=["unknown"] * 9)
    )

    with pytest.raises(ValueError, match="allowed"):
        cross_validate_speakers([listed])


def test_a_run_refuses_what_it_would_train_on_with_full_weight(tmp_path):
    acted = load_corpus("crema-d", write_crema_d(tmp_path / "crema-d"))
    ordinary = load_corpus("fsdd", write_listed_set(tmp_path / "fsdd", origin="Jakobovski/free-spoken-digit-dataset:"))
    plan = Plan((("crema-d", "there"), ("fsdd", "here")), "speakers", "light-sernet", RECIPES["scratch"])

    assert plan.divide([acted]).splits
    with pytest.raises(ValueError, match="fsdd would train with full weight, and nobody rated it"):
        plan.divide([acted, ordinary])
