"""Whether a comparison stays within limits, so that a pipeline can stop at one that does not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trends.comparing.records import Comparison


class Verdict(StrEnum):
    """How a value stands to its limit. UNKNOWN: there is nothing to measure, which is no pass."""

    WITHIN = "within"
    EXCEEDED = "exceeded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is allowed; None: everything.

    Attributes:
        max_disagree: share of recordings, 0 to 1, on whose label (or no speech) the versions may differ.
        max_shift: by how much the mean score of any class may differ, 0 to 1, whichever the sign.
        min_coverage: share of the first version's recordings, 0 to 1, that the second must have a result for.
    """

    max_disagree: float | None = None
    max_shift: float | None = None
    min_coverage: float | None = None


@dataclass(frozen=True, kw_only=True)
class Breach:
    """One limit, the value that it was held against, and how that ended."""

    name: str
    value: float | None
    limit: float
    verdict: Verdict
    of: str | None = None


def check_limits(found: Comparison, limits: Limits) -> tuple[Breach, ...]:
    """Hold a comparison against each limit that is given; one that is just reached is kept."""
    agree = found.outcomes.share
    largest = max(found.shifts, key=lambda shift: abs(shift.shift.mean), default=None)
    disagree = None if agree is None else 1 - agree
    moved = None if largest is None else abs(largest.shift.mean)
    checked = [
        _hold("max_disagree", disagree, limits.max_disagree),
        _hold("max_shift", moved, limits.max_shift, of=None if largest is None else largest.label),
        _hold("min_coverage", found.coverage, limits.min_coverage, is_least=True),
    ]
    return tuple(breach for breach in checked if breach is not None)


def _hold(
    name: str, value: float | None, limit: float | None, *, is_least: bool = False, of: str | None = None
) -> Breach | None:
    if limit is None:
        return None
    if value is None:
        return Breach(name=name, value=None, limit=limit, verdict=Verdict.UNKNOWN)
    is_beyond = value < limit if is_least else value > limit
    verdict = Verdict.EXCEEDED if is_beyond else Verdict.WITHIN
    return Breach(name=name, value=value, limit=limit, verdict=verdict, of=of)
