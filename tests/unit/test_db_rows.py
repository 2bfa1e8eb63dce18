"""What is refused before it becomes a row."""

from contextlib import nullcontext

import pytest
from db_samples import a_result, scores, silence

from db.reasons import ResultStatus
from db.rows import NewResult, Segment

LENGTHS = {"duration_ms": 10_000, "speech_ms": 9_000, "rejected_ms": 0, "n_windows": 2}
SCORED = {"status": ResultStatus.SCORED, "label": "sadness", "confidence": 0.4, "is_uncertain": False, **LENGTHS}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (scores(), nullcontext()),
        ({**scores(), "surprise": 1.0}, nullcontext()),
        (scores(anger=float("nan")), pytest.raises(ValueError, match=r"score of anger is nan; it must be in \[0, 1\]")),
        (scores(sadness=1.01), pytest.raises(ValueError, match=r"score of sadness is 1.01")),
        (scores(neutral=-0.1), pytest.raises(ValueError, match=r"score of neutral is -0.1")),
        ({"anger": 0.5}, pytest.raises(ValueError, match="lack happiness, neutral, sadness; they hold anger")),
    ],
)
def test_scores_are_the_four_emotions_and_more_each_from_0_to_1(given, expected):
    with expected:
        Segment(start_ms=0, end_ms=1, speech_ms=1, scores=given)
    with expected:
        NewResult(**SCORED, scores=given)


@pytest.mark.parametrize(
    "change",
    [{"label": None}, {"confidence": None}, {"is_uncertain": None}, {"scores": {}}, {"status": ResultStatus.NO_SPEECH}],
    ids="+".join,
)
def test_a_result_is_scored_wholly_or_not_at_all(change):
    with pytest.raises(ValueError, match=r"scores lack|result has label"):
        NewResult(**{**SCORED, "scores": scores(), **change})


def test_a_trend_holds_finite_numbers_only():
    with pytest.raises(ValueError, match="trend slope_per_min of anger is inf"):
        NewResult(**SCORED, scores=scores(), trend={"anger": {"slope_per_min": float("inf")}})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, nullcontext()),
        ({"valence": -1.0}, nullcontext()),
        (
            {"dominance": 0.5},
            pytest.raises(ValueError, match="dimension dominance is unknown; allowed are arousal, valen"),
        ),
        ({"arousal": float("nan")}, pytest.raises(ValueError, match="arousal is nan; a finite number is needed")),
    ],
)
def test_dimensions_are_the_two_of_the_columns_and_finite(given, expected):
    with expected:
        Segment(start_ms=0, end_ms=1, speech_ms=1, scores=scores(), dimensions=given)
    with expected:
        NewResult(**SCORED, scores=scores(), dimensions=given)


def test_a_note_without_speech_has_no_dimensions():
    with pytest.raises(ValueError, match="NO_SPEECH result has dimensions"):
        NewResult(status=ResultStatus.NO_SPEECH, **LENGTHS, dimensions={"arousal": 0.0})


def test_both_kinds_of_result_are_accepted():
    assert (a_result().status, silence().status) == (ResultStatus.SCORED, ResultStatus.NO_SPEECH)
