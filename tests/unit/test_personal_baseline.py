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
    Offset,
    OwnOffset,
    Reference,
    TenantOffset,
    collect_notes,
    make_middle_mix_rule,
    measure_offset,
    measure_own_offset,
    measure_tenant_offset,
    relate_scores,
)

LABELS = tuple(MIDDLE_MIX)
RULE = make_middle_mix_rule()
NOTE_BY_NOTE = BaselineRule(MIDDLE_MIX)
RULES = pytest.mark.parametrize("rule", [RULE, NOTE_BY_NOTE], ids=["middle mix", "note by note"])
SHIFT = np.array([0.0, 1.0, -1.0, 0.0])
REFERENCE = Reference(LABELS, tuple(tuple(row) for row in (np.eye(4) * 3.5 - 4.0).tolist()))


def soften(logits):
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def expect():
    return np.array([RULE.mix[label] for label in LABELS]) @ np.array(REFERENCE.means)


def collect(scores, rule=RULE, **ages):
    return collect_notes(scores, rule, n_labels=4, **ages)


def measure(scores, rule=RULE, **options):
    return measure_offset(collect(scores, rule), REFERENCE, rule, **options)


def common(*scores, rule=RULE):
    return measure_tenant_offset(
        [measure_own_offset(collect(one, rule), REFERENCE, rule) for one in scores], REFERENCE, rule
    )


NOTES = arrays(
    np.float64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.floats(-12.0, 12.0, allow_nan=False)
).map(soften)
ANY_SCORES = st.one_of(NOTES, st.lists(st.sampled_from(np.eye(4).tolist()), min_size=1, max_size=9).map(np.array))


@RULES
@given(scores=ANY_SCORES)
def test_without_earlier_notes_relative_scores_are_the_scores_themselves(rule, scores):
    offset = measure([], rule)

    assert offset.state is BaselineState.INSUFFICIENT
    assert (relate_scores(scores, offset, replace(rule, temperature=2.0)) == scores).all()


@RULES
@given(scores=NOTES, random=st.randoms(use_true_random=False))
def test_the_order_of_the_notes_changes_nothing(rule, scores, random):
    ages = [float(age) for age in range(len(scores))]
    order = list(range(len(scores)))
    random.shuffle(order)
    forgetting = replace(rule, half_life_days=3.0)
    first, second = (
        collect(scores[places], forgetting, ages_days=[ages[place] for place in places])
        for places in (list(range(len(scores))), order)
    )

    assert measure_offset(first, REFERENCE, rule) == measure_offset(second, REFERENCE, rule)


@RULES
@given(baseline=ANY_SCORES, scores=ANY_SCORES, has_tenant=st.booleans())
def test_relative_scores_are_a_finite_distribution_whatever_the_notes(rule, baseline, scores, has_tenant):
    tenant = common(baseline, scores, rule=rule) if has_tenant else None
    relative = relate_scores(scores, measure(baseline, rule, tenant=tenant), rule)

    assert np.isfinite(relative).all()
    assert (relative >= 0).all()
    assert relative.sum(axis=1) == pytest.approx(1.0)


@given(NOTES)
def test_by_the_middle_mix_a_person_who_always_sounds_the_same_becomes_the_reference_mix(scores):
    note = scores[:1]
    rule = replace(RULE, shrink_notes=1e-9)

    relative = relate_scores(note, measure(note, rule), rule)

    assert relative[0] == pytest.approx(soften(expect()), abs=1e-6)


@pytest.mark.parametrize("label", range(4))
def test_note_by_note_a_person_who_sounds_as_training_did_keeps_their_scores(label):
    clear = Reference(LABELS, tuple(tuple(row) for row in (np.eye(4) * 4.95 - 5.0).tolist()))
    notes = collect([soften(np.array(clear.means[label]))] * 30)

    by_note, by_mix = (np.ptp(measure_offset(notes, clear, rule).values) for rule in (NOTE_BY_NOTE, RULE))

    # Of one emotion only, and little of it is taken for the person; the middle mix takes it for the person.
    assert by_mix > 2.0
    assert by_note < by_mix / 3


@given(NOTES, st.integers(0, 8), st.integers(1, 8))
def test_more_of_the_same_notes_never_shrink_the_offset(scores, n_few, n_more):
    few, more = (np.array(measure(np.tile(scores, (n, 1)) if n else []).values) for n in (n_few, n_few + n_more))
    own = collect(scores).log_scores.mean(axis=0) - expect()

    assert (np.abs(few) <= np.abs(more) + 1e-9).all()
    assert (np.abs(more) <= np.abs(own) + 1e-9).all()
    assert (few * own >= -1e-9).all()


@given(NOTES)
def test_however_many_notes_there_are_no_more_than_the_largest_share_is_taken_out(scores):
    rule = replace(RULE, max_share=0.6)
    offset = np.array(measure(np.tile(scores, (900, 1)), rule).values)
    own = collect(scores).log_scores.mean(axis=0) - expect()

    assert offset == pytest.approx(0.6 * own, rel=0.01, abs=1e-6)


@given(NOTES, NOTES)
def test_the_offset_lies_between_the_persons_own_and_the_tenants(scores, others):
    tenant = common(others)
    ends = np.array([tenant.values, collect(scores).log_scores.mean(axis=0) - expect()])

    values = np.array(measure(scores, tenant=tenant).values)

    assert (values >= ends.min(axis=0) - 1e-9).all()
    assert (values <= ends.max(axis=0) + 1e-9).all()


@RULES
def test_a_new_person_gets_the_tenants_offset_and_no_statement_of_their_own(rule):
    tenant = measure_tenant_offset([OwnOffset(tuple(SHIFT.tolist()), 50.0)] * 200, REFERENCE, rule)
    offset = measure([], rule, tenant=tenant)

    assert offset.values == tenant.values
    assert offset.values == pytest.approx([0.0, 1.0, -1.0, 0.0], abs=0.03)
    assert offset.state is BaselineState.INSUFFICIENT
    assert offset.n_persons == 200


def test_the_tenants_offset_grows_with_its_persons_and_a_person_without_notes_counts_nothing():
    person = OwnOffset(tuple(SHIFT.tolist()), 10.0)
    tenants = [measure_tenant_offset([person] * n, REFERENCE, RULE) for n in (0, 1, 3, 30)]

    sizes = [tenant.values[1] for tenant in tenants]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0.0
    assert sizes[-1] < 1.0
    shares = [tenant.share for tenant in tenants]
    assert shares == pytest.approx(sizes)
    empty = measure_own_offset(collect([]), REFERENCE, RULE)
    with_empty = measure_tenant_offset([person, empty], REFERENCE, RULE)
    assert with_empty == tenants[1]


@RULES
@given(scores=NOTES)
def test_a_tenant_without_persons_changes_nothing(rule, scores):
    assert measure(scores, rule, tenant=common(rule=rule)) == measure(scores, rule)


def test_what_a_tenant_has_in_common_is_found_from_all_persons_notes():
    rng = np.random.default_rng(3)
    tenant = common(*(draw(rng, n=20, shift=SHIFT)[1] for _ in range(60)), rule=NOTE_BY_NOTE)

    found = np.array(tenant.values) - np.mean(tenant.values)
    assert found == pytest.approx(SHIFT, abs=0.35)


def draw(rng, *, n, shift, mix=None):
    """Notes of a person in a mix, and their scores with a constant part of the person's own."""
    truth = rng.choice(4, size=n, p=mix or list(RULE.mix.values()))
    plain = np.array(REFERENCE.means)[truth] + rng.normal(0, 0.3, (n, 4))
    return plain, soften(plain + shift)


def test_a_constant_part_of_the_log_scores_is_found_and_taken_out():
    shift = np.array([1.0, 2.0, -1.0, 0.0])
    plain, heard = draw(np.random.default_rng(1), n=4000, shift=shift)
    rule = replace(RULE, floor=1e-9)

    offset = measure_offset(collect(heard, rule), reference_of(plain), rule)

    # Softmax removes what all labels share, so that offsets are compared without it.
    found = np.array(offset.values) - np.mean(offset.values)
    assert found == pytest.approx(shift - shift.mean(), abs=0.12)
    assert relate_scores(heard, offset, rule) == pytest.approx(soften(plain), abs=0.03)


def reference_of(plain):
    truth = plain.argmax(axis=1)
    return Reference(LABELS, tuple(tuple(np.log(soften(plain[truth == c])).mean(axis=0)) for c in range(4)))


@pytest.mark.parametrize("mix", [(0.25,) * 4, (0.03, 0.03, 0.91, 0.03)])
def test_note_by_note_the_offset_is_found_whatever_the_persons_own_mix(mix):
    shift = np.array([0.0, 1.0, -1.0, 0.0])
    _, heard = draw(np.random.default_rng(1), n=400, shift=shift, mix=mix)
    errors = []
    for rule in (replace(NOTE_BY_NOTE, max_share=1.0), RULE):
        found = np.array(measure(heard, rule).values)
        errors.append(np.abs(found - found.mean() - shift).max())

    assert errors[0] < 0.3
    assert errors[1] > errors[0] + 0.2


def test_an_old_note_weighs_half_after_each_half_life():
    rule = replace(RULE, half_life_days=10.0)
    old, new = np.full(4, 0.25), np.array([0.7, 0.1, 0.1, 0.1])
    weighed = measure_offset(collect([old, new], rule, ages_days=[20.0, 0.0]), REFERENCE, rule)
    repeated = measure(np.array([old, *[new] * 4]), replace(RULE, shrink_notes=20.0, shrink_notes_in_tenant=20.0))

    assert weighed.n_effective == pytest.approx(1.25)
    assert weighed.n_notes == 2
    assert weighed.values == pytest.approx(repeated.values)


def test_notes_that_are_long_ago_are_no_statement_about_a_person_now():
    rule = replace(NOTE_BY_NOTE, half_life_days=10.0)
    scores = np.full((9, 4), 0.25)
    states = [
        measure_offset(collect(scores, rule, ages_days=[age] * 9), REFERENCE, rule).state.value for age in (1.0, 100.0)
    ]

    assert states == ["personal", "insufficient"]


@pytest.mark.parametrize(
    ("ages", "told"),
    [
        (None, "need"),
        ([1.0], r"one of each of 2 notes|shape \(1,\)"),
        ([1.0, -2.0], "age is -2.0 days"),
        ([1.0, float("nan")], "age is nan days"),
    ],
)
def test_ages_that_mean_nothing_are_refused_with_their_value(ages, told):
    with pytest.raises(ValueError, match=told):
        collect(np.full((2, 4), 0.25), replace(RULE, half_life_days=10.0), ages_days=ages)


def test_the_rules_temperature_flattens_relative_scores_and_changes_no_label():
    offset = measure(np.full((20, 4), 0.25))
    scores = np.array([[0.4, 0.3, 0.2, 0.1]])
    sharp, flat = (relate_scores(scores, offset, replace(RULE, temperature=t)) for t in (1.0, 3.0))

    assert flat.max() < sharp.max()
    assert flat.argmax() == sharp.argmax()


def test_a_person_counts_as_known_from_the_rules_number_of_notes_on():
    states = [measure(np.full((n, 4), 0.25)).state.value for n in (4, 5)]

    assert states == ["insufficient", "personal"]


@given(NOTES)
def test_note_by_note_a_models_temperature_changes_no_label(scores):
    rule = replace(NOTE_BY_NOTE, floor=1e-12)
    flat = soften(np.log(np.maximum(scores, 1e-9)) / 2.0)
    plain = soften(np.log(flat) * 2.0)
    references = [
        Reference(LABELS, tuple(map(tuple, np.log(soften(np.array(REFERENCE.means) * scale)).tolist())))
        for scale in (1.0, 0.5)
    ]

    offsets = [
        np.array(measure_offset(collect(one, rule), reference, rule).values)
        for one, reference in zip((plain, flat), references, strict=True)
    ]

    first, second = (offset - offset.mean() for offset in offsets)
    assert second * 2.0 == pytest.approx(first, abs=1e-6)


def test_numbers_of_another_model_or_rule_are_refused():
    other = BaselineRule({"anger": 0.5, "fear": 0.5})
    scores = np.full((3, 4), 0.25)
    two = collect_notes([[0.5, 0.5]], RULE, n_labels=2)
    with pytest.raises(ValueError, match="fear"):
        measure_offset(collect(scores), REFERENCE, other)
    with pytest.raises(ValueError, match="notes have 2 labels"):
        measure_offset(two, REFERENCE, RULE)
    with pytest.raises(ValueError, match="2 values"):
        measure(scores, tenant=TenantOffset((0.0, 0.0), 3, 0.5))
    with pytest.raises(ValueError, match="a person's offset has 2 values"):
        measure_tenant_offset([OwnOffset((0.0, 0.0), 3.0)], REFERENCE, RULE)
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        collect(np.full((3, 3), 1 / 3))
    with pytest.raises(ValueError, match="no distribution"):
        collect([[0.5, 0.5, float("nan"), 0.0]])
    with pytest.raises(ValueError, match="version 7"):
        relate_scores(scores, Offset((0.0,) * 4, 0, 0.0, 0, BaselineState.PERSONAL, 7), RULE)
