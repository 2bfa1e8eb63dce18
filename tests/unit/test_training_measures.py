"""The measures and folds that training reports are right where the answer is known; no torch is needed."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from training.corpora import LABELS, DecodedUtterance
from training.data.copies import Copy, make_copy
from training.measures import metrics
from training.protocols.folds import assign_folds
from training.sounds.augment import Chain
from training.sounds.voice import Cut

SPEAKERS = [str(1001 + i) for i in range(91)]


def test_unweighted_accuracy_counts_every_label_the_same():
    truth = np.array([0] * 9 + [1])
    guess = np.zeros(10, dtype=np.int64)

    confusion = metrics.count_confusion(truth, guess, 2)

    assert metrics.measure_weighted_accuracy(confusion) == pytest.approx(0.9)
    assert metrics.measure_unweighted_accuracy(confusion) == pytest.approx(0.5)


def test_a_perfect_classifier_has_f1_of_one():
    truth = np.array([0, 1, 2, 3, 3])

    assert metrics.measure_f1(metrics.count_confusion(truth, truth, 4)).tolist() == [1.0, 1.0, 1.0, 1.0]


def test_temperature_is_found_again_when_labels_are_drawn_from_it():
    rng = np.random.default_rng(0)
    logits = rng.normal(0.0, 2.0, (20_000, 4))
    chances = metrics.apply_softmax(logits, 0.5)
    truth = (rng.random((20_000, 1)) > np.cumsum(chances, axis=1)).sum(axis=1)

    assert metrics.fit_temperature(logits, truth) == pytest.approx(0.5, rel=0.05)
    assert metrics.measure_calibration_error(chances, truth) < 0.02
    assert metrics.measure_calibration_error(metrics.apply_softmax(logits, 2.0), truth) > 0.1


def test_log_loss_of_equal_chances_is_the_log_of_their_number():
    assert metrics.measure_log_loss(np.full((3, 4), 0.25), np.array([0, 1, 2])) == pytest.approx(math.log(4))


def test_coverage_falls_and_the_lowest_safe_threshold_is_chosen():
    probabilities = np.array([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1]])
    truth = np.array([1, 0, 0])

    curve = metrics.trace_risk_coverage(probabilities, truth, np.array([0.5, 0.65, 0.8]))

    assert [coverage for _, coverage, _ in curve] == pytest.approx([1.0, 2 / 3, 1 / 3])
    assert metrics.choose_threshold(curve, max_error=0.1) == pytest.approx(0.65)


def test_a_curve_that_never_gets_safe_is_refused():
    with pytest.raises(ValueError, match=r"at most 0\.1"):
        metrics.choose_threshold([(0.5, 1.0, 0.4)], max_error=0.1)


def test_every_speaker_is_in_one_fold_and_folds_are_even():
    folds = assign_folds(SPEAKERS * 2)

    sizes = [list(folds.values()).count(fold) for fold in range(5)]
    assert set(folds) == set(SPEAKERS)
    assert max(sizes) - min(sizes) <= 1


def test_folds_depend_on_the_seed_and_not_on_the_order_of_speakers():
    assert assign_folds(SPEAKERS) == assign_folds(reversed(SPEAKERS))
    assert assign_folds(SPEAKERS) != assign_folds(SPEAKERS, seed=1)


@pytest.mark.parametrize(
    ("n_folds", "expectation"),
    [
        (1, pytest.raises(ValueError, match="1 folds of 3")),
        (3, nullcontext()),
        (4, pytest.raises(ValueError, match="4 f")),
    ],
)
def test_folds_need_a_speaker_each(n_folds, expectation):
    with expectation:
        assign_folds(["a", "b", "c"], n_folds=n_folds)


def test_a_half_copy_takes_every_label_about_as_often_though_files_are_ordered_by_label():
    signal = np.full(160, 0.1, dtype=np.float32)
    utterances = tuple(DecodedUtterance(Path(f"{i}"), "a", LABELS[i % 4], signal) for i in range(400))
    copy = Copy("half", 1, Cut.NONE, Chain(), share=0.5)

    kinds = [window.kind for window in make_copy(utterances, copy)]

    assert all(35 <= kinds.count(label) <= 65 for label in LABELS)
