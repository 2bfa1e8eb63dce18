"""Goes through recordings of two versions one by one and keeps sums, so that memory does not grow with their number."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from itertools import count

from trends.comparing.clusters import ClusteredMean
from trends.comparing.histogram import Histogram
from trends.comparing.pairs import Outcome, Pair
from trends.comparing.records import (
    BAR,
    N_BARS,
    N_PERSON_BARS,
    PERSON_BAR,
    QUANTILES,
    Agreement,
    ClassShift,
    Comparison,
    Cost,
    PersonMove,
    PersonShifts,
    Speech,
)

NO_SPEECH = "no speech"
LEAST_NOTES = 5  # of a person: the mean of fewer is mostly chance
_STEP = 0.001  # of histograms; 0 is in the middle of one


class Tally:
    """Sums over pairs.

    Args:
        a: name of the first version.
        b: name of the second.
        labels_a: classes of the first version, in its own order.
        labels_b: classes of the second.
        n_movers: how many of the persons who move most to keep by name.
    """

    def __init__(self, a: str, b: str, *, labels_a: Sequence[str], labels_b: Sequence[str], n_movers: int = 0) -> None:
        self._names = (a, b)
        self._shared = [label for label in labels_a if label in labels_b]
        self._unshared = [label for label in (*labels_a, *labels_b) if label not in self._shared]
        extra = [label for label in labels_b if label not in labels_a]
        self._rows = (*labels_a, *extra, NO_SPEECH)
        self._place = {name: place for place, name in enumerate(self._rows)}
        self._confusion = [[0] * len(self._rows) for _ in self._rows]
        self._n_only_a = self._n_only_b = self._n_without_person = 0
        self._n_uncertain = [0, 0]
        self._n_certain_agree = 0
        self._agree = {name: ClusteredMean() for name in ("outcomes", "labels", "certain")}
        self._shifts = {label: ClusteredMean() for label in self._shared}
        self._sums = {label: [0.0, 0.0] for label in self._shared}
        self._differences = {label: _count_differences() for label in self._shared}
        self._persons = _Persons(n_movers)
        self._costs = (_CostSum(), _CostSum())
        self._person: tuple[str, str] | None = None
        self._open = _OfPerson(self._shared)

    def add_all(self, pairs: Iterable[Pair]) -> None:
        """Count recordings; those of one person come one after the other.

        Raises:
            ValueError: a version's label is none of its classes.
        """
        for pair in pairs:
            self._add(pair)

    def finish(self) -> Comparison:
        """Return what was found; nothing is added afterwards."""
        self._close()
        matrix = tuple(map(tuple, self._confusion))
        n_silent = len(self._rows) - 1
        heard = [row[:n_silent] for row in matrix[:n_silent]]
        return Comparison(
            a=self._names[0],
            b=self._names[1],
            n_both=sum(map(sum, matrix)),
            n_only_a=self._n_only_a,
            n_only_b=self._n_only_b,
            n_without_person=self._n_without_person,
            outcomes=_as_agreement(self._agree["outcomes"], sum(row[place] for place, row in enumerate(matrix))),
            labels=_as_agreement(self._agree["labels"], sum(row[place] for place, row in enumerate(heard))),
            certain=_as_agreement(self._agree["certain"], self._n_certain_agree),
            kappa=find_kappa(heard),
            n_uncertain_a=self._n_uncertain[0],
            n_uncertain_b=self._n_uncertain[1],
            names=self._rows,
            confusion=matrix,
            speech=Speech(
                n_both=sum(map(sum, heard)),
                n_only_a=sum(row[n_silent] for row in matrix[:n_silent]),
                n_only_b=sum(matrix[n_silent][:n_silent]),
                n_neither=matrix[n_silent][n_silent],
            ),
            shifts=tuple(shift for label in self._shared if (shift := self._finish_shift(label)) is not None),
            unshared=tuple(self._unshared),
            persons=self._persons.finish(),
            cost_a=self._costs[0].finish(),
            cost_b=self._costs[1].finish(),
        )

    def _add(self, pair: Pair) -> None:
        if pair.a is None or pair.b is None:
            self._n_only_a += pair.b is None
            self._n_only_b += pair.a is None
            return
        if pair.person is None or pair.person != self._person:
            self._close()
            self._person = pair.person
        self._n_without_person += pair.person is None
        for cost, outcome in zip(self._costs, (pair.a, pair.b), strict=True):
            cost.add(outcome)
        is_same = pair.a.label == pair.b.label
        self._confusion[self._find_row(pair.a)][self._find_row(pair.b)] += 1
        self._open.count("outcomes", is_same=is_same)
        if pair.a.label is not None and pair.b.label is not None:
            self._add_scored(pair.a, pair.b, is_same=is_same)

    def _add_scored(self, a: Outcome, b: Outcome, *, is_same: bool) -> None:
        self._n_uncertain[0] += a.is_uncertain
        self._n_uncertain[1] += b.is_uncertain
        self._open.count("labels", is_same=is_same)
        if not (a.is_uncertain or b.is_uncertain):
            self._n_certain_agree += is_same
            self._open.count("certain", is_same=is_same)
        for label in self._shared:
            of_a, of_b = a.scores[label], b.scores[label]
            sums = self._sums[label]
            sums[0] += of_a
            sums[1] += of_b
            self._open.sums[label] += of_b - of_a
            self._differences[label].add(of_b - of_a)

    def _find_row(self, outcome: Outcome) -> int:
        name = NO_SPEECH if outcome.label is None else outcome.label
        if name not in self._place:
            raise ValueError(f"a result has the label {name!r}; its version's classes are {', '.join(self._rows[:-1])}")
        return self._place[name]

    def _close(self) -> None:
        """Add the sums of the person whose recordings came last."""
        done, self._open = self._open, _OfPerson(self._shared)
        for name, mean in self._agree.items():
            mean.add(done.n_agree[name], done.n[name])
        n_scored = done.n["labels"]
        for label, mean in self._shifts.items():
            mean.add(done.sums[label], n_scored)
        if n_scored and self._person is not None:
            self._persons.add(self._person, n_scored, {label: total / n_scored for label, total in done.sums.items()})

    def _finish_shift(self, label: str) -> ClassShift | None:
        mean, differences = self._shifts[label], self._differences[label]
        found = mean.estimate()
        if found is None:
            return None
        sum_a, sum_b = self._sums[label]
        return ClassShift(
            label=label,
            mean_a=sum_a / mean.n,
            mean_b=sum_b / mean.n,
            shift=found,
            quantiles=differences.quantiles(QUANTILES),
            bars=differences.bars(N_BARS),
        )


class _OfPerson:
    """Sums over the recordings of one person."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.n = {"outcomes": 0, "labels": 0, "certain": 0}
        self.n_agree = dict.fromkeys(self.n, 0)
        self.sums = dict.fromkeys(labels, 0.0)

    def count(self, name: str, *, is_same: bool) -> None:
        self.n[name] += 1
        self.n_agree[name] += is_same


class _Persons:
    """How far persons move, and who moves most."""

    def __init__(self, n_movers: int) -> None:
        self._n_movers = n_movers
        self._n = 0
        self._largest = Histogram(
            -_STEP / 2, N_PERSON_BARS * PERSON_BAR - _STEP / 2, n_steps=round(N_PERSON_BARS * PERSON_BAR / _STEP)
        )
        self._movers: list[tuple[float, int, PersonMove]] = []
        self._order = count()

    def add(self, person: tuple[str, str], n_notes: int, shifts: dict[str, float]) -> None:
        self._n += 1
        if n_notes < LEAST_NOTES:
            return
        move = PersonMove(tenant=person[0], subject=person[1], n_notes=n_notes, shifts=shifts)
        self._largest.add(move.largest)
        if self._n_movers:
            heapq.heappush(self._movers, (move.largest, -next(self._order), move))
            if len(self._movers) > self._n_movers:
                heapq.heappop(self._movers)

    def finish(self) -> PersonShifts:
        return PersonShifts(
            n_persons=self._n,
            n_counted=self._largest.n,
            least_notes=LEAST_NOTES,
            quantiles=self._largest.quantiles(QUANTILES),
            bars=self._largest.bars(N_PERSON_BARS),
            movers=tuple(move for _, _, move in sorted(self._movers, reverse=True)),
        )


class _CostSum:
    """Sums what the attempts of one version have cost."""

    def __init__(self) -> None:
        self._n = self._wall_ms = self._audio_ms = 0
        self._peak_rss_kib: int | None = None

    def add(self, outcome: Outcome) -> None:
        if outcome.wall_ms is not None:
            self._n += 1
            self._wall_ms += outcome.wall_ms
            self._audio_ms += outcome.duration_ms
        if outcome.peak_rss_kib is not None:
            self._peak_rss_kib = max(outcome.peak_rss_kib, self._peak_rss_kib or 0)

    def finish(self) -> Cost:
        return Cost(
            n_measured=self._n,
            wall_s=self._wall_ms / 1000,
            audio_s=self._audio_ms / 1000,
            peak_rss_kib=self._peak_rss_kib,
        )


def find_kappa(matrix: Sequence[Sequence[int]]) -> float | None:
    """Return Cohen's kappa of a square table of counts; None where chance alone would agree always, or of no counts.

    Example:
        >>> round(find_kappa([[20, 5], [10, 15]]), 6)
        0.4
    """
    n = sum(map(sum, matrix))
    if n == 0:
        return None
    agree = sum(row[place] for place, row in enumerate(matrix)) / n
    by_chance = sum(sum(row) * sum(other[place] for other in matrix) for place, row in enumerate(matrix)) / n**2
    return None if by_chance == 1 else (agree - by_chance) / (1 - by_chance)


def _count_differences() -> Histogram:
    end = N_BARS * BAR / 2
    return Histogram(-end, end, n_steps=round(2 * end / _STEP))


def _as_agreement(mean: ClusteredMean, n_agree: int) -> Agreement:
    found = mean.estimate()
    low = None if found is None or found.low is None else max(found.low, 0.0)
    high = None if found is None or found.high is None else min(found.high, 1.0)
    return Agreement(n=mean.n, n_agree=n_agree, low=low, high=high)
