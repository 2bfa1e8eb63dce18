"""What is known of groups of speakers once they are measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.data.files import read_record
from training.measures.bootstrap import Interval


@dataclass(frozen=True)
class Figure:
    """A measure in [0, 1] of one group, and its 95 % interval by speaker."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Slice:
    """One group.

    Attributes:
        attribute, name: for instance `age`, `under 30`.
        n_speakers, n_utterances: tested.
        figures: by name of the measure.
        recalls: by label, in [0, 1].
    """

    attribute: str
    name: str
    n_speakers: int
    n_utterances: int
    figures: dict[str, Figure]
    recalls: dict[str, float]


@dataclass(frozen=True)
class Difference:
    """One group's measure less another's.

    Attributes:
        value: first less second.
        interval: of 95 %.
        corrected: the interval that is as wide as all comparisons of the report together need (Bonferroni).
    """

    attribute: str
    first: str
    second: str
    measure: str
    value: float
    interval: Interval
    corrected: Interval

    @property
    def is_clear(self) -> bool:
        """Tell whether the 95 % interval leaves out 0."""
        return self.interval.low > 0 or self.interval.high < 0

    @property
    def is_clear_corrected(self) -> bool:
        """Tell whether the corrected interval leaves out 0."""
        return self.corrected.low > 0 or self.corrected.high < 0


@dataclass(frozen=True)
class Spread:
    """UA speaker by speaker.

    Attributes:
        quantiles: share of speakers to UA that as many stay under.
        deviation: of a sample (n - 1).
        chance: the deviation if all speakers were equally hard and only the number of utterances made them differ.
    """

    quantiles: dict[float, float]
    deviation: float
    chance: float


@dataclass(frozen=True)
class SliceReport:
    """Everything that is said about groups.

    Attributes:
        uncertain_below: a confidence under it is uncertain.
        seed, n_draws: of the bootstrap.
        n_too_few: groups that are left out, as a figure of so few is one of persons.
        whole: everybody.
        slices: in order of attribute.
        differences: of any two groups of an attribute, measure by measure.
        spread: over speakers.
    """

    uncertain_below: float
    seed: int
    n_draws: int
    n_too_few: int
    whole: Slice
    slices: tuple[Slice, ...]
    differences: tuple[Difference, ...]
    spread: Spread


def read_slices(values: dict[str, Any]) -> SliceReport:
    """Return the report that `asdict` made values of, also through JSON."""
    parts = [values["whole"], *values["slices"]]  # Those up to whisper3-0.5.1 have an empty place for a curve.
    whole, *slices = ({key: value for key, value in part.items() if key != "curve"} for part in parts)
    return read_record(SliceReport, {**values, "whole": whole, "slices": slices})
