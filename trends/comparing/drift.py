"""Whether one version's scores are spread otherwise lately than in a reference period, and by how much chance alone does that.

The measure is the divergence of Jensen and Shannon in bits (Lin 1991, "Divergence measures based on the Shannon entropy"): 0 for
the same shares, 1 for shares without anything in common. Notes of one person resemble each other, so what chance does is
found by drawing whole persons again, with their recent and their earlier notes (Davison and Hinkley 1997, "Bootstrap methods and
their application", 3.8). Persons are put into `N_GROUPS` groups by a hash, so that memory does not grow with their number.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
N_GROUPS = 256
N_DRAWS = 2_000
LEAST_NOTES = 100  # on either side
LEAST_PERSONS = 20  # on either side; effective number, so that one with most of the notes does not pass for many
LEAST_EXCESS = 0.02  # bits beyond what chance does on average: less is no matter for anybody, however certain it is
_FALSE_ALARMS = 0.05  # of nights, all measures of a night together


class DriftState(StrEnum):
    """What a night's measures come to."""

    TOO_FEW = "too_few"
    STABLE = "stable"
    MOVED = "moved"


@dataclass(frozen=True, kw_only=True)
class DriftMeasure:
    """How far one distribution has moved.

    Attributes:
        name: of the distribution: `labels`, or the class whose scores it is of.
        divergence: between recent notes and the reference, bits, 0 to 1.
        limit: the divergence from which on it has moved.
        low: lower end of the interval of 95 % of the divergence without what chance adds.
        high: upper end.
    """

    name: str
    divergence: float
    limit: float
    low: float
    high: float

    @property
    def has_moved(self) -> bool:
        """Whether the divergence is beyond its limit."""
        return self.divergence > self.limit


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What a night found of one version.

    Attributes:
        state: of all measures together.
        n_recent: notes of the recent days.
        n_reference: notes of the reference period.
        n_persons: with notes of either; each note of nobody known may count as one.
        measures: the one that is furthest beyond its limit, or nearest to it, first; none where there are too few.
    """

    state: DriftState
    n_recent: int
    n_reference: int
    n_persons: int
    measures: tuple[DriftMeasure, ...] = ()


class DriftCounts:
    """Counts of notes by distribution and place in it, by groups of persons.

    Args:
        sizes: of each distribution by its name, how many places it has; the first one counts every note.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._counts = {name: np.zeros((2, N_GROUPS, size)) for name, size in sizes.items()}
        self._first = next(iter(sizes))
        self._n_persons = 0

    def add(self, person: str, *, recent: Mapping[str, Sequence[int]], reference: Mapping[str, Sequence[int]]) -> None:
        """Add the notes of one person, or of nobody known by any text that tells such notes apart."""
        group = zlib.crc32(person.encode()) % N_GROUPS
        self._n_persons += 1
        for side, given in enumerate((recent, reference)):
            for name, counts in given.items():
                self._counts[name][side, group] += counts

    def measure(self, *, seed: int = 0) -> Drift:
        """Return how far each distribution has moved.

        Args:
            seed: of the draws; the same counts and seed give the same measures.
        """
        n_recent, n_reference = (int(side.sum()) for side in self._counts[self._first])
        known: dict[str, Any] = {"n_recent": n_recent, "n_reference": n_reference, "n_persons": self._n_persons}
        whole = self._counts[self._first].sum(axis=2)
        if min(n_recent, n_reference) < LEAST_NOTES or min(map(_count_effective, whole)) < LEAST_PERSONS:
            return Drift(state=DriftState.TOO_FEW, **known)
        is_there = whole.sum(axis=0) > 0
        draws = _draw_groups(int(is_there.sum()), seed=seed)
        share = 1 - _FALSE_ALARMS / len(self._counts)
        measures = [
            _measure(name, counts[:, is_there], draws, share=share)
            for name, counts in self._counts.items()
            if counts.sum(axis=(1, 2)).min() > 0
        ]
        measures.sort(key=lambda measure: measure.divergence / measure.limit, reverse=True)
        has_moved = any(measure.has_moved for measure in measures)
        return Drift(state=DriftState.MOVED if has_moved else DriftState.STABLE, measures=tuple(measures), **known)


def find_divergence(p: Array, q: Array) -> Array:
    """Return the Jensen-Shannon divergence of shares, bits, of the shape without the last axis.

    Args:
        p: shares that sum to 1 along the last axis.
        q: shares of the same shape.

    Example:
        >>> same, other = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.0, 1.0])
        >>> float(find_divergence(same, same)), float(find_divergence(same, other))
        (0.0, 1.0)
    """
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(shares > 0, shares * np.log2(shares / middle), 0.0) for shares in (p, q)]
    return np.asarray(np.clip((terms[0] + terms[1]).sum(axis=-1) / 2, 0.0, 1.0), dtype=np.float64)


def _draw_groups(n: int, *, seed: int) -> Array:
    """Return how often each group is in each draw, float64 (N_DRAWS, n)."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=N_DRAWS).astype(np.float64)


def _measure(name: str, counts: Array, draws: Array, *, share: float) -> DriftMeasure:
    p, q = (side.sum(axis=0) / side.sum() for side in counts)
    drawn_p, drawn_q = (_as_shares(draws @ side) for side in counts)
    n_groups = draws.shape[1]
    # Around no difference: what the draws differ by beyond what is seen. To second order the divergence is this square.
    error = ((drawn_p - drawn_q) - (p - q)) * np.sqrt(n_groups / (n_groups - 1))
    middle = (p + q) / 2
    is_there = middle > 0
    by_chance = (error[:, is_there] ** 2 / middle[is_there]).sum(axis=1) / (8 * np.log(2))
    seen = float(find_divergence(p, q))
    drawn = find_divergence(drawn_p, drawn_q)
    lowest, highest = np.quantile(drawn - seen, (0.025, 0.975))
    limit = max(float(np.quantile(by_chance, share)), float(by_chance.mean()) + LEAST_EXCESS)
    return DriftMeasure(
        name=name,
        divergence=seen,
        limit=limit,
        low=max(seen - float(highest), 0.0),
        high=max(seen - float(lowest), 0.0),
    )


def _as_shares(counts: Array) -> Array:
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(counts / np.maximum(total, 1), dtype=np.float64)


def _count_effective(n_by_group: Array) -> float:
    """Return the effective number of groups (Kish 1965, "Survey sampling"): that of equal ones with the same variance."""
    return float(n_by_group.sum() ** 2 / (n_by_group**2).sum()) if n_by_group.any() else 0.0
