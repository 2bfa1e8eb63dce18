"""How a person's own baseline is estimated: the rule with its version and constants, as a model's manifest carries them.

Both versions look for the offset of a person's log scores from what the reference expects, and differ in what they
expect of a note:

1. "middle mix": every note is expected to be an average of the labels in an assumed mix.
2. "note by note": each note is expected to be of the labels that it sounds like once the offset is taken out, with the
   assumed mix as what is known before it is heard.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from trends.numbers import read_number, read_whole_number

SHARE_TOLERANCE = 1e-6
MIDDLE_MIX_VERSION, NOTE_BY_NOTE_VERSION = 1, 2
KNOWN_VERSIONS = (MIDDLE_MIX_VERSION, NOTE_BY_NOTE_VERSION)
NEUTRAL = "neutral"
MIDDLE_NEUTRAL = 0.475


def spread_mix(labels: Sequence[str], *, neutral: float = MIDDLE_NEUTRAL) -> dict[str, float]:
    """Return a mix of labels with a share of neutral and the rest even over the others.

    By default it is the middle between even and 70 % neutral. Of the mixes tried with ten notes (drawn even, 70 % and 91 % neutral) on
    six corpora that the model had not been trained on, it had the best worst change of mean recall.

    Args:
        labels: at least two, each once, neutral among them.
        neutral: over 0 and under 1.

    Raises:
        ValueError: there is no neutral or no other label, or the share is not allowed.

    Example:
        >>> spread_mix(["anger", "neutral", "sadness"], neutral=0.5)
        {'anger': 0.25, 'neutral': 0.5, 'sadness': 0.25}
    """
    others = [label for label in labels if label != NEUTRAL]
    if not others or len(others) + 1 != len(labels):
        raise ValueError(f"labels are {list(labels)}; needed are {NEUTRAL}, once, and at least one other")
    if not 0 < neutral < 1:
        raise ValueError(f"share of {NEUTRAL} is {neutral}; allowed is over 0 and under 1")
    other = round((1 - neutral) / len(others), 9)  # as a manifest is read by people
    return {label: neutral if label == NEUTRAL else other for label in labels}


MIDDLE_MIX: Mapping[str, float] = MappingProxyType(spread_mix(("anger", "happiness", "neutral", "sadness")))


@dataclass(frozen=True)
class BaselineRule:
    """How an offset is estimated from a person's earlier notes, and what relative scores are called.

    Attributes:
        mix: label to the share of it that a person's notes are assumed to hold; over 0, sums to 1.
        version: of the formulas; another version means another offset from the same notes.
        floor: scores under it count as it before the logarithm, over 0 and under 1.
        sharpness: of version 2: by how much its own label is to stand out in a recording of training when a note's label is asked for,
            natural logarithm, over 0; so that the temperature of a model changes nothing.
        max_share: of a person's offset that is taken out however many notes there are, over 0 and at most 1.
        shrink_notes: with so many notes half of that share is taken out where no tenant is known, over 0.
        shrink_notes_in_tenant: the same beyond the offset of a tenant of very many persons, at least `shrink_notes`.
        shrink_persons: that many well known persons weigh as much as "no offset" in the tenant's offset, over 0.
        min_notes: with fewer notes of the person the state is `insufficient`, at least 1.
        half_life_days: a note that is older by so much weighs half as much, over 0; None where age does not matter.
        temperature: that relative log scores are divided by, over 0.
        uncertain_below: a relative confidence under it is uncertain, 0 to 1.

    Raises:
        ValueError: a value is not allowed.
    """

    mix: Mapping[str, float]
    version: int = NOTE_BY_NOTE_VERSION
    floor: float = 1e-3
    sharpness: float = 4.8
    max_share: float = 0.8
    shrink_notes: float = 2.0
    shrink_notes_in_tenant: float = 5.0
    shrink_persons: float = 5.0
    min_notes: int = 5
    half_life_days: float | None = None
    temperature: float = 1.0
    uncertain_below: float = 0.75

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
        for name in (
            "sharpness",
            "shrink_notes",
            "shrink_notes_in_tenant",
            "shrink_persons",
            "half_life_days",
            "temperature",
        ):
            value = getattr(self, name)
            is_unset = name == "half_life_days" and value is None
            if not is_unset and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}; allowed are finite values over 0")
        if not 0 < self.max_share <= 1:
            raise ValueError(f"max_share is {self.max_share}; allowed is over 0 and up to 1")
        if self.shrink_notes_in_tenant < self.shrink_notes:
            raise ValueError(
                f"shrink_notes_in_tenant is {self.shrink_notes_in_tenant}; allowed is shrink_notes, {self.shrink_notes}, or more"
            )
        if self.min_notes < 1:
            raise ValueError(f"min_notes is {self.min_notes}; allowed is 1 or more")
        if not 0 <= self.uncertain_below <= 1:
            raise ValueError(f"uncertain_below is {self.uncertain_below}; allowed is 0 to 1")

    def as_dict(self) -> dict[str, Any]:
        """Return it as a manifest keeps it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"mix": dict(self.mix)}


def make_middle_mix_rule(mix: Mapping[str, float] = MIDDLE_MIX) -> BaselineRule:
    """Return version 1 with the constants that it was measured with; its tenant's offset counts as much as none."""
    return BaselineRule(mix, version=MIDDLE_MIX_VERSION, max_share=1.0, shrink_notes=5.0, shrink_notes_in_tenant=5.0)


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
    whole = {name: read_whole_number(name, raw[name]) for name in ("version", "min_notes")}
    half_life = raw["half_life_days"]
    numbers = {name: read_number(name, raw[name]) for name in needed.keys() - whole.keys() - {"mix", "half_life_days"}}
    shares = {str(label): read_number(f"mix of {label}", share) for label, share in mix.items()}
    return BaselineRule(
        shares,
        version=whole["version"],
        min_notes=whole["min_notes"],
        half_life_days=None if half_life is None else read_number("half_life_days", half_life),
        **numbers,
    )
