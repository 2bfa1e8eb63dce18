"""What a comparison of two versions found, as records."""

from __future__ import annotations

from dataclasses import dataclass

from trends.comparing.clusters import Estimate

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
N_BARS = 41  # of differences; the one in the middle holds those around 0
N_PERSON_BARS = 40
BAR = 0.049  # width of a bar of differences
PERSON_BAR = 0.025


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How many of some recordings the versions agree on.

    Attributes:
        n: of these recordings.
        n_agree: of them with the same answer.
        low: lower end of the share's interval of 95 %, persons taken as what was drawn; None of too few persons.
        high: upper end.
    """

    n: int
    n_agree: int
    low: float | None
    high: float | None

    @property
    def share(self) -> float | None:
        """The share that agrees, 0 to 1; None of no recordings."""
        return self.n_agree / self.n if self.n else None


@dataclass(frozen=True, kw_only=True)
class Speech:
    """In how many recordings each version hears speech, of those that both have a result for."""

    n_both: int
    n_only_a: int
    n_only_b: int
    n_neither: int


@dataclass(frozen=True, kw_only=True)
class ClassShift:
    """By how much the scores of one class differ, second version less first.

    Attributes:
        label: the class.
        mean_a: mean score of the first version.
        mean_b: mean score of the second.
        shift: mean difference, with its interval by person.
        quantiles: of the differences, at `QUANTILES`.
        bars: how many differences are in each of `N_BARS` steps of `BAR`, half below 0.
    """

    label: str
    mean_a: float
    mean_b: float
    shift: Estimate
    quantiles: tuple[float, ...]
    bars: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class PersonMove:
    """One person's mean differences by class."""

    tenant: str
    subject: str
    n_notes: int
    shifts: dict[str, float]

    @property
    def largest(self) -> float:
        """The largest of the differences, whichever its sign."""
        return max(map(abs, self.shifts.values()), default=0.0)


@dataclass(frozen=True, kw_only=True)
class PersonShifts:
    """How far persons move: for each the largest of their mean differences by class.

    Attributes:
        n_persons: that are known, with a note that both versions scored.
        n_counted: of them with at least `least_notes` such notes; the rest is in no quantile.
        least_notes: see `n_counted`.
        quantiles: of that largest difference, at `QUANTILES`.
        bars: how many persons are in each of `N_PERSON_BARS` steps of `PERSON_BAR` from 0 on.
        movers: those who move most, the first first; none unless they were asked for.
    """

    n_persons: int
    n_counted: int
    least_notes: int
    quantiles: tuple[float, ...]
    bars: tuple[int, ...]
    movers: tuple[PersonMove, ...]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one version has cost, over the recordings that both have a result for.

    Attributes:
        n_measured: of them whose attempt's time was kept.
        wall_s: of these attempts.
        audio_s: of these recordings.
        peak_rss_kib: the most memory that a worker's process has held; None where none was kept.
    """

    n_measured: int
    wall_s: float
    audio_s: float
    peak_rss_kib: int | None

    @property
    def wall_s_per_hour(self) -> float | None:
        """Seconds of work for an hour of audio; None where nothing was kept."""
        return 3600 * self.wall_s / self.audio_s if self.audio_s else None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two versions on the recordings that both have a result for.

    Attributes:
        a: the first version.
        b: the second.
        n_both: recordings with a result of both.
        n_only_a: with one of the first only.
        n_only_b: with one of the second only.
        n_without_person: of `n_both` those of nobody known; in intervals each counts as a person.
        outcomes: agreement on label or no speech, over `n_both`.
        labels: agreement on the label where both hear speech.
        certain: the same where neither is uncertain.
        kappa: Cohen's kappa of the labels (1960, "A coefficient of agreement for nominal scales"); None where it is undefined.
        n_uncertain_a: of `labels.n` those that the first version marks as uncertain.
        n_uncertain_b: of `labels.n` those that the second does.
        names: rows and columns of `confusion`: labels, and no speech as the last.
        confusion: recordings by what the first (row) and the second version (column) say.
        speech: who hears speech where.
        shifts: by class, of those that both versions have.
        unshared: classes that only one of them has.
        persons: how far they move.
        cost_a: of the first.
        cost_b: of the second.
    """

    a: str
    b: str
    n_both: int
    n_only_a: int
    n_only_b: int
    n_without_person: int
    outcomes: Agreement
    labels: Agreement
    certain: Agreement
    kappa: float | None
    n_uncertain_a: int
    n_uncertain_b: int
    names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    speech: Speech
    shifts: tuple[ClassShift, ...]
    unshared: tuple[str, ...]
    persons: PersonShifts
    cost_a: Cost
    cost_b: Cost

    @property
    def coverage(self) -> float | None:
        """Of the recordings that the first version has a result for, the share that the second has too; None of none."""
        n_a = self.n_both + self.n_only_a
        return self.n_both / n_a if n_a else None
