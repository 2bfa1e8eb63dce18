"""What a manifest says about a person's own baseline is read back as it was written, or refused with its value."""

import json
from dataclasses import replace

import numpy as np
import pytest

from trends import (
    MIDDLE_MIX,
    Baseline,
    BaselineRule,
    Reference,
    make_middle_mix_rule,
    read_baseline,
    read_reference,
    read_rule,
    spread_mix,
    write_baseline,
)

LABELS = tuple(MIDDLE_MIX)
RULE = make_middle_mix_rule()
REFERENCE = Reference(LABELS, tuple(tuple(row) for row in (np.eye(4) * 3.5 - 4.0).tolist()))
RULES = pytest.mark.parametrize("rule", [RULE, BaselineRule(MIDDLE_MIX)], ids=["middle mix", "note by note"])


@RULES
def test_a_manifests_section_gives_back_the_reference_and_the_rule(rule):
    baseline = Baseline(REFERENCE, replace(rule, half_life_days=90.0))
    section = json.loads(json.dumps(write_baseline(baseline), allow_nan=False))

    assert read_baseline(section, labels=LABELS) == baseline


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda _section: None, "baseline is None"),
        (lambda section: section | {"person": 1}, "keys"),
        (lambda section: {"rule": section["rule"]}, "keys"),
        (lambda section: section | {"rule": []}, r"rule of the baseline is \[\]"),
        (lambda section: section | {"reference": 3}, "reference of the baseline is 3"),
        (lambda section: section | {"rule": section["rule"] | {"mix": {"fear": 1.0}}}, "fear"),
    ],
)
def test_a_section_that_means_nothing_is_refused_with_its_value(change, told):
    with pytest.raises(ValueError, match=told):
        read_baseline(change(write_baseline(Baseline(REFERENCE, RULE))), labels=LABELS)


def test_a_mix_is_spread_over_the_labels_of_any_model():
    mix = spread_mix([*LABELS, "fear"], neutral=0.6)

    assert list(mix) == [*LABELS, "fear"]
    assert mix["fear"] == pytest.approx(0.1)
    for labels, neutral, told in ((["anger"], 0.5, "needed are neutral"), (LABELS, 1.0, "share of neutral is 1.0")):
        with pytest.raises(ValueError, match=told):
            spread_mix(labels, neutral=neutral)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mix": {"anger": 0.5, "neutral": 0.6}}, "sum to 1"),
        ({"mix": {"anger": 1.0, "neutral": 0.0}}, "over 0"),
        ({"mix": {"anger": float("nan"), "neutral": 0.5}}, "over 0"),
        ({"mix": ["anger"]}, "object of label to share"),
        ({"version": 3}, r"is 3, known are \[1, 2\]"),
        ({"version": True}, "whole number"),
        ({"floor": 0.0}, "floor is 0.0"),
        ({"floor": "low"}, "floor is 'low'"),
        ({"shrink_notes": 0}, "shrink_notes is 0"),
        ({"shrink_persons": float("inf")}, "shrink_persons is inf"),
        ({"min_notes": 0}, "min_notes is 0"),
        ({"half_life": 3}, "half_life"),
        ({"half_life_days": 0.0}, "half_life_days is 0.0"),
        ({"half_life_days": "long"}, "half_life_days is 'long'"),
        ({"sharpness": -1.0}, "sharpness is -1.0"),
        ({"max_share": 1.1}, "max_share is 1.1"),
        ({"max_share": 0.0}, "max_share is 0.0"),
        ({"shrink_notes_in_tenant": 4.0}, "shrink_notes_in_tenant is 4.0; allowed is shrink_notes, 5.0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"uncertain_below": 1.5}, "uncertain_below is 1.5"),
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


def test_a_reference_in_which_true_labels_do_not_stand_out_is_refused():
    with pytest.raises(ValueError, match="margin of the reference is 0"):
        Reference(("anger", "neutral"), ((-1.0, -1.0), (-1.0, -1.0)))


def test_a_reference_of_repeated_labels_or_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="each once"):
        Reference(("anger", "anger"), ((-1.0, -1.0),) * 2)
    with pytest.raises(ValueError, match="2 rows of 2"):
        Reference(("anger", "neutral"), ((-1.0, -1.0),))
