"""Drift: chance is not taken for it, whole persons are what is drawn, and what has moved is named."""

import numpy as np
import pytest

from benchmarks.drift_people import measure_installation
from benchmarks.drift_promises import run_nights, share_moved
from trends.comparing.drift import DriftCounts, DriftState, find_divergence

SIZES = {"labels": 2, "anger": 2}


def count(rng, n_persons, *, share=0.3, lately=None, n_notes=20):
    """Persons whose shares of the second place are around one and the same."""
    counts = DriftCounts(SIZES)
    for person in range(n_persons):
        own = rng.beta(20 * share, 20 * (1 - share)) - share
        sides = []
        for mean in (share if lately is None else lately, share):
            n = rng.binomial(n_notes, np.clip(mean + own, 0, 1))
            sides.append({"labels": (n_notes - n, n), "anger": (n_notes // 2, n_notes - n_notes // 2)})
        counts.add(f"p{person}", recent=sides[0], reference=sides[1])
    return counts.measure()


def test_without_a_change_nights_without_an_alarm_are_what_is_promised():
    assert share_moved(run_nights(60, 0, 30)) <= 0.05


def test_what_moves_is_named_first_with_its_interval():
    found = count(np.random.default_rng(0), 60, lately=0.7)

    assert found.state is DriftState.MOVED
    assert [measure.name for measure in found.measures] == ["labels", "anger"]
    assert [measure.has_moved for measure in found.measures] == [True, False]
    assert 0 < found.measures[0].low < found.measures[0].divergence
    assert found.measures[1].divergence == found.measures[1].low == 0
    assert (found.n_recent, found.n_reference, found.n_persons) == (1200, 1200, 60)


def test_a_change_of_everybodys_sadness_is_found():
    found = measure_installation(np.random.default_rng(1), 100, rho=0.3, shift=1.0)

    assert found.state is DriftState.MOVED
    assert any(measure.name == "sadness" and measure.has_moved for measure in found.measures)


@pytest.mark.parametrize(("n_persons", "n_notes"), [(19, 100), (100, 0), (24, 2)])
def test_too_few_persons_or_notes_are_told_and_nothing_is_measured(n_persons, n_notes):
    found = count(np.random.default_rng(0), n_persons, n_notes=n_notes, lately=0.9)

    assert found.state is DriftState.TOO_FEW
    assert found.measures == ()


def test_one_person_with_most_of_the_notes_does_not_pass_for_many():
    counts = DriftCounts(SIZES)
    for person in range(50):
        n = 5000 if person == 0 else 10
        counts.add(
            f"p{person}", recent={"labels": (n, 0), "anger": (n, 0)}, reference={"labels": (0, n), "anger": (n, 0)}
        )

    assert counts.measure().state is DriftState.TOO_FEW


def test_the_same_counts_measure_the_same_whatever_the_order_of_persons():
    rng = np.random.default_rng(3)
    rows = [(f"p{n}", {"labels": rng.integers(1, 9, 2), "anger": rng.integers(1, 9, 2)}) for n in range(80)]
    forward, backward = DriftCounts(SIZES), DriftCounts(SIZES)
    for counts, given in ((forward, rows), (backward, rows[::-1])):
        for person, made in given:
            counts.add(person, recent=made, reference=made)

    assert forward.measure() == backward.measure()


def test_divergence_is_symmetric_and_within_a_bit():
    rng = np.random.default_rng(2)
    p, q = rng.dirichlet(np.ones(5), 200), rng.dirichlet(np.ones(5) / 5, 200)

    there, back = find_divergence(p, q), find_divergence(q, p)

    assert there == pytest.approx(back)
    assert ((there >= 0) & (there <= 1)).all()
