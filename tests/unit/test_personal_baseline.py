"""A person's offset is found, never overdone, and taken out; what is not known changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trends import (
    MIDDLE_MIX,
    BaselineRule,
    BaselineState,
    NotesSummary,
    Offset,
    Reference,
    measure_offset,
    measure_tenant_offset,
    read_reference,
    read_rule,
    relate_scores,
    summarise_notes,
)

LABELS = tuple(MIDDLE_MIX)
RULE = BaselineRule(MIDDLE_MIX)
SHIFT = np.array([0.0, 1.0, -1.0, 0.0])
REFERENCE = Reference(LABELS, tuple(tuple(row) for row in (np.eye(4) * 3.5 - 4.0).tolist()))


def soften(logits):
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def expect():
    return np.array([RULE.mix[label] for label in LABELS]) @ np.array(REFERENCE.means)


def summarise(scores):
    return summarise_notes(scores, RULE, n_labels=4)


NOTES = arrays(
    np.float64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.floats(-12.0, 12.0, allow_nan=False)
).map(soften)
ANY_SCORES = st.one_of(NOTES, st.lists(st.sampled_from(np.eye(4).tolist()), min_size=1, max_size=9).map(np.array))


@given(ANY_SCORES)
def test_without_earlier_notes_relative_scores_are_the_scores_themselves(scores):
    offset = measure_offset(summarise([]), REFERENCE, RULE)

    assert offset.state is BaselineState.INSUFFICIENT
    assert (relate_scores(scores, offset, RULE) == scores).all()


@given(NOTES, st.randoms(use_true_random=False))
def test_the_order_of_the_notes_changes_nothing(scores, random):
    order = list(range(len(scores)))
    random.shuffle(order)

    assert summarise(scores[order]) == summarise(scores)


@given(ANY_SCORES, ANY_SCORES, st.booleans())
def test_relative_scores_are_a_finite_distribution_whatever_the_notes(baseline, scores, has_tenant):
    tenant = measure_tenant_offset([summarise(baseline), summarise(scores)], REFERENCE, RULE) if has_tenant else None
    relative = relate_scores(scores, measure_offset(summarise(baseline), REFERENCE, RULE, tenant=tenant), RULE)

    assert np.isfinite(relative).all()
    assert (relative >= 0).all()
    assert relative.sum(axis=1) == pytest.approx(1.0)


@given(NOTES)
def test_a_person_who_always_sounds_the_same_becomes_the_reference_mix(scores):
    note = scores[:1]
    notes = replace(summarise(note), n_notes=10**9)

    relative = relate_scores(note, measure_offset(notes, REFERENCE, RULE), RULE)

    assert relative[0] == pytest.approx(soften(expect()), abs=1e-6)


@given(NOTES, st.integers(0, 40), st.integers(1, 40))
def test_more_of_the_same_notes_never_shrink_the_offset(scores, n_few, n_more):
    means = summarise(scores).mean_log_scores
    few, more = (
        np.array(measure_offset(NotesSummary(n, means), REFERENCE, RULE).values) for n in (n_few, n_few + n_more)
    )
    own = np.array(means) - expect()

    assert (np.abs(few) <= np.abs(more) + 1e-12).all()
    assert (np.abs(more) <= np.abs(own) + 1e-12).all()
    assert (few * own >= 0).all()


@given(NOTES, NOTES)
def test_the_offset_lies_between_the_persons_own_and_the_tenants(scores, others):
    tenant = measure_tenant_offset([summarise(others)], REFERENCE, RULE)
    notes = summarise(scores)
    ends = np.array([tenant.values, np.array(notes.mean_log_scores) - expect()])

    values = np.array(measure_offset(notes, REFERENCE, RULE, tenant=tenant).values)

    assert (values >= ends.min(axis=0) - 1e-9).all()
    assert (values <= ends.max(axis=0) + 1e-9).all()


def test_a_new_person_gets_the_tenants_offset_and_no_statement_of_their_own():
    others = [NotesSummary(50, tuple(expect() + SHIFT))] * 200
    tenant = measure_tenant_offset(others, REFERENCE, RULE)
    offset = measure_offset(summarise([]), REFERENCE, RULE, tenant=tenant)

    assert offset.values == tenant.values
    assert offset.values == pytest.approx([0.0, 1.0, -1.0, 0.0], abs=0.03)
    assert offset.state is BaselineState.INSUFFICIENT
    assert offset.n_persons == 200


def test_the_tenants_offset_grows_with_its_persons_and_a_person_without_notes_counts_nothing():
    person = NotesSummary(10, tuple(expect() + SHIFT))
    sizes = [measure_tenant_offset([person] * n, REFERENCE, RULE).values[1] for n in (0, 1, 3, 30)]

    assert sizes == sorted(sizes)
    assert sizes[0] == 0.0
    assert sizes[-1] < 1.0
    empty = summarise([])
    assert measure_tenant_offset([person, empty], REFERENCE, RULE) == measure_tenant_offset([person], REFERENCE, RULE)


def test_a_constant_part_of_the_log_scores_is_found_and_taken_out():
    rng, shift = np.random.default_rng(1), np.array([1.0, 2.0, -1.0, 0.0])
    truth = rng.choice(4, size=4000, p=[RULE.mix[label] for label in LABELS])
    plain = np.array(REFERENCE.means)[truth] + rng.normal(0, 0.3, (4000, 4))
    rule = replace(RULE, floor=1e-9)
    reference = Reference(LABELS, tuple(tuple(np.log(soften(plain[truth == c])).mean(axis=0)) for c in range(4)))
    heard = soften(plain + shift)

    offset = measure_offset(summarise_notes(heard, rule, n_labels=4), reference, rule)

    # Softmax removes what all labels share, so that offsets are compared without it.
    found = np.array(offset.values) - np.mean(offset.values)
    assert found == pytest.approx(shift - shift.mean(), abs=0.05)
    assert relate_scores(heard, offset, rule) == pytest.approx(soften(plain), abs=0.03)


def test_a_person_counts_as_known_from_the_rules_number_of_notes_on():
    states = [measure_offset(NotesSummary(n, tuple(expect())), REFERENCE, RULE).state.value for n in (4, 5)]

    assert states == ["insufficient", "personal"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mix": {"anger": 0.5, "neutral": 0.6}}, "sum to 1"),
        ({"mix": {"anger": 1.0, "neutral": 0.0}}, "over 0"),
        ({"mix": {"anger": float("nan"), "neutral": 0.5}}, "over 0"),
        ({"mix": ["anger"]}, "object of label to share"),
        ({"version": 2}, r"is 2, known are \[1\]"),
        ({"version": True}, "whole number"),
        ({"floor": 0.0}, "floor is 0.0"),
        ({"floor": "low"}, "floor is 'low'"),
        ({"shrink_notes": 0}, "shrink_notes is 0"),
        ({"shrink_persons": float("inf")}, "shrink_persons is inf"),
        ({"min_notes": 0}, "min_notes is 0"),
        ({"half_life": 3}, "half_life"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_with_its_value(change, told):
    with pytest.raises(ValueError, match=told):
        read_rule({**RULE.as_dict(), **change})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fear": {}}, "rows"),
        ({"anger": {"anger": -1.0}}, "row anger"),
        ({"anger": dict.fromkeys(LABELS, 0.1)}, "mean log score 0.1"),
        ({"anger": dict.fromkeys(LABELS, float("nan"))}, "mean log score nan"),
        ({"anger": dict.fromkeys(LABELS, None)}, "mean of anger at anger is None"),
    ],
)
def test_a_reference_that_means_nothing_is_refused_with_its_value(change, told):
    with pytest.raises(ValueError, match=told):
        read_reference({**REFERENCE.as_dict(), **change}, labels=LABELS)


def test_a_reference_of_repeated_labels_or_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="each once"):
        Reference(("anger", "anger"), ((-1.0, -1.0),) * 2)
    with pytest.raises(ValueError, match="2 rows of 2"):
        Reference(("anger", "neutral"), ((-1.0, -1.0),))


def test_numbers_of_another_model_or_rule_are_refused():
    other = BaselineRule({"anger": 0.5, "fear": 0.5})
    notes = summarise(np.full((3, 4), 0.25))
    with pytest.raises(ValueError, match="fear"):
        measure_offset(notes, REFERENCE, other)
    with pytest.raises(ValueError, match="a summary has 2 labels"):
        measure_offset(NotesSummary(1, (0.0, 0.0)), REFERENCE, RULE)
    with pytest.raises(ValueError, match="2 values"):
        measure_offset(
            notes, REFERENCE, RULE, tenant=replace(measure_tenant_offset([], REFERENCE, RULE), values=(0.0, 0.0))
        )
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        summarise(np.full((3, 3), 1 / 3))
    with pytest.raises(ValueError, match="no distribution"):
        summarise([[0.5, 0.5, float("nan"), 0.0]])
    with pytest.raises(ValueError, match="version 7"):
        relate_scores(np.full((1, 4), 0.25), Offset((0.0,) * 4, 0, 0, BaselineState.PERSONAL, 7), RULE)
