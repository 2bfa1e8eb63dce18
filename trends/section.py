"""The section `baseline` of a model's manifest: reference and rule, as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trends.reference import Reference, read_reference
from trends.rule import BaselineRule, read_rule

KEYS = ("reference", "rule")


@dataclass(frozen=True)
class Baseline:
    """All that a model's manifest says about a person's own baseline.

    Attributes:
        reference: mean log scores of training.
        rule: how offsets are estimated; its mix has the reference's labels.

    Raises:
        ValueError: the labels of both differ.
    """

    reference: Reference
    rule: BaselineRule

    def __post_init__(self) -> None:
        """Check once, so that no estimate has to."""
        if set(self.rule.mix) != set(self.reference.labels):
            raise ValueError(
                f"mix has labels {sorted(self.rule.mix)}; needed are the reference's, {sorted(self.reference.labels)}"
            )


def write_baseline(baseline: Baseline) -> dict[str, Any]:
    """Return the section as plain JSON: objects, numbers, null.

    Example:
        >>> reference = Reference(("neutral", "sadness"), ((-0.1, -2.5), (-2.0, -0.2)))
        >>> baseline = Baseline(reference, BaselineRule({"neutral": 0.7, "sadness": 0.3}))
        >>> section = write_baseline(baseline)
        >>> section["reference"]["neutral"], section["rule"]["version"]
        ({'neutral': -0.1, 'sadness': -2.5}, 2)
        >>> read_baseline(section, labels=("neutral", "sadness")) == baseline
        True
    """
    return {"reference": baseline.reference.as_dict(), "rule": baseline.rule.as_dict()}


def read_baseline(raw: object, *, labels: Sequence[str]) -> Baseline:
    """Return what a manifest's section says; every key is needed, and no other is allowed.

    Args:
        raw: as JSON was read.
        labels: of the model, in the order of its scores.

    Raises:
        ValueError: a key lacks or is unknown, or a value has another type or is not allowed; the text has value and allowed range.
    """
    if not isinstance(raw, Mapping):
        raise ValueError(f"baseline is {raw!r}; needed is an object of {list(KEYS)}")  # noqa: TRY004 - wrong data
    if set(raw) != set(KEYS):
        raise ValueError(f"baseline has keys {sorted(map(str, raw))}; needed are {list(KEYS)}")
    for key in KEYS:
        if not isinstance(raw[key], Mapping):
            raise ValueError(f"{key} of the baseline is {raw[key]!r}; needed is an object")  # noqa: TRY004 - wrong data
    return Baseline(read_reference(raw["reference"], labels=labels), read_rule(raw["rule"]))
