"""What a model's manifest says about a person's own baseline: the reference, and the rule with its parameters.

Both are data, so that a bundle carries them and a stored baseline can name the version that made it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

SHARE_TOLERANCE = 1e-6
KNOWN_VERSIONS = (1,)
# Between even and 70 % neutral. Of the mixes tried with ten notes (drawn even, 70 % and 91 % neutral) on six corpora that the model had
# not been trained on, it had the best worst change of mean recall (+.010); 70 % neutral had a slightly higher mean (.750, here .746).
MIDDLE_MIX: Mapping[str, float] = MappingProxyType(
    {"anger": 0.175, "happiness": 0.175, "neutral": 0.475, "sadness": 0.175}
)


@dataclass(frozen=True)
class Reference:
    """Mean log scores of the model over labelled recordings of training, by true label.

    Attributes:
        labels: in the order of the model's scores, at least two, each once.
        means: one row a true label, one column a score: natural logarithms of floored scores, at most 0.

    Raises:
        ValueError: labels repeat, the table is not square, or a mean is not finite or above 0.
    """

    labels: tuple[str, ...]
    means: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Check once, so that no arithmetic has to."""
        n_labels = len(self.labels)
        if n_labels < 2 or len(set(self.labels)) != n_labels:  # noqa: PLR2004 - with one label nothing is relative
            raise ValueError(f"labels of the reference are {list(self.labels)}; needed are at least two, each once")
        if [len(row) for row in self.means] != [n_labels] * n_labels:
            sizes = [len(row) for row in self.means]
            raise ValueError(f"reference has rows of {sizes} means; needed are {n_labels} rows of {n_labels}")
        strange = [mean for row in self.means for mean in row if not (math.isfinite(mean) and mean <= 0)]
        if strange:
            raise ValueError(f"mean log score {strange[0]} in the reference; allowed are finite values up to 0")

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Return it as a manifest keeps it: true label to score's label to mean."""
        return {
            truth: dict(zip(self.labels, row, strict=True)) for truth, row in zip(self.labels, self.means, strict=True)
        }


@dataclass(frozen=True)
class BaselineRule:
    """How an offset is estimated from a person's earlier notes.

    Attributes:
        mix: label to the share of it that a person's notes are assumed to hold; over 0, sums to 1.
        version: of the formulas; another version may mean another offset from the same notes.
        floor: scores under it count as it before the logarithm, over 0 and under 1.
        shrink_notes: that many notes weigh as much as what is known without them, over 0.
        shrink_persons: that many well known persons weigh as much as "no offset" in the tenant's offset, over 0.
        min_notes: with fewer notes of the person the state is `insufficient`, at least 1.

    Raises:
        ValueError: a value is not allowed.
    """

    mix: Mapping[str, float]
    version: int = 1
    floor: float = 1e-3
    shrink_notes: float = 5.0
    shrink_persons: float = 5.0
    min_notes: int = 5

    def __post_init__(self) -> None:
        """Check once, and keep a copy of the mix that nobody changes."""
        object.__setattr__(self, "mix", MappingProxyType(dict(self.mix)))
        if self.version not in KNOWN_VERSIONS:
            raise ValueError(f"version of the baseline rule is {self.version!r}, known are {list(KNOWN_VERSIONS)}")
        shares = list(self.mix.values())
        if not all(math.isfinite(share) and share > 0 for share in shares) or abs(sum(shares) - 1) > SHARE_TOLERANCE:
            raise ValueError(f"mix is {dict(self.mix)}; needed are shares over 0 that sum to 1")
        if not 0 < self.floor < 1:
            raise ValueError(f"floor is {self.floor}; allowed is over 0 and under 1")
        for name, value in (("shrink_notes", self.shrink_notes), ("shrink_persons", self.shrink_persons)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; allowed are finite values over 0")
        if self.min_notes < 1:
            raise ValueError(f"min_notes is {self.min_notes}; allowed is 1 or more")

    def as_dict(self) -> dict[str, Any]:
        """Return it as a manifest keeps it."""
        return {
            "version": self.version,
            "mix": dict(self.mix),
            "floor": self.floor,
            "shrink_notes": self.shrink_notes,
            "shrink_persons": self.shrink_persons,
            "min_notes": self.min_notes,
        }


def read_rule(raw: Mapping[str, Any]) -> BaselineRule:
    """Return the rule that a manifest holds; every key is needed, and no other is allowed.

    Raises:
        ValueError: a key lacks or is unknown, a value has another type or is not allowed.

    Example:
        >>> rule = BaselineRule(MIDDLE_MIX)
        >>> read_rule(rule.as_dict()) == rule
        True
    """
    needed = BaselineRule(MIDDLE_MIX).as_dict()
    if set(raw) != set(needed):
        raise ValueError(f"baseline rule has keys {sorted(raw)}; needed are {sorted(needed)}")
    mix = raw["mix"]
    if not isinstance(mix, Mapping):
        raise ValueError(f"mix is {mix!r}; needed is an object of label to share")  # noqa: TRY004 - wrong data
    for name in ("version", "min_notes"):
        if type(raw[name]) is not int:
            raise ValueError(f"{name} is {raw[name]!r}; needed is a whole number")
    numbers = {name: _read_number(name, raw[name]) for name in ("floor", "shrink_notes", "shrink_persons")}
    shares = {str(label): _read_number(f"mix of {label}", share) for label, share in mix.items()}
    return BaselineRule(shares, version=raw["version"], min_notes=raw["min_notes"], **numbers)


def read_reference(raw: Mapping[str, Any], *, labels: Sequence[str]) -> Reference:
    """Return the reference that a manifest holds.

    Args:
        raw: true label to score's label to mean log score.
        labels: of the model, in the order of its scores.

    Raises:
        ValueError: rows or columns are not exactly the labels, or a mean is not allowed.

    Example:
        >>> reference = Reference(("neutral", "sadness"), ((-0.1, -2.5), (-2.0, -0.2)))
        >>> read_reference(reference.as_dict(), labels=reference.labels) == reference
        True
    """
    if set(raw) != set(labels):
        raise ValueError(f"reference has rows {sorted(raw)}; needed are the labels {sorted(labels)}")
    for truth, row in raw.items():
        if not isinstance(row, Mapping) or set(row) != set(labels):
            raise ValueError(f"row {truth} of the reference is {row!r}; needed is a mean for each of {sorted(labels)}")
    means = tuple(
        tuple(_read_number(f"mean of {label} at {truth}", raw[truth][label]) for label in labels) for truth in labels
    )
    return Reference(tuple(labels), means)


def _read_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}; needed is a number")  # noqa: TRY004 - wrong data
    return float(value)
