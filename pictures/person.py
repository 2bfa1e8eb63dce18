"""What a person's page shows, as records: who, as of when, mixes of scores, coverage, and each measure with its trend and days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from trends import VOICE_MEASURES, Day, PersonTrend, TrendSettings


@dataclass(frozen=True, kw_only=True)
class Mix:
    """The mean scores of the recent notes, by label.

    Attributes:
        first_day: of the notes.
        last_day: of them.
        n_notes: scored ones.
        scores: what the model hears, each in [0, 1], summing to 1.
        relative: what is unusual for this person, alike; None while there are too few notes to say.
    """

    first_day: date
    last_day: date
    n_notes: int
    scores: Mapping[str, float]
    relative: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class OwnBaseline:
    """The notes that relative scores compare with.

    Attributes:
        is_personal: whether there are enough of them.
        n_notes: so many.
        needed_notes: that are needed.
        first_day: of them; None where that is unknown.
        last_day: of them; None where that is unknown.
    """

    is_personal: bool
    n_notes: int
    needed_notes: int
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure of a person over time.

    Attributes:
        name: as readers of the database know it, `sadness`.
        trend: as of the page's day.
        days: by every model that scored them, in any order.
    """

    name: str
    trend: PersonTrend
    days: tuple[Day, ...]

    @property
    def is_of_voice(self) -> bool:
        """Whether it is a measure of the voice, on a scale of its own, and not a label in log odds."""
        return self.name in VOICE_MEASURES


@dataclass(frozen=True, kw_only=True)
class PersonPage:
    """All that a person's page shows.

    Attributes:
        subject: the name under which the person's notes are stored.
        tenant: whose person.
        as_of: last day that counts.
        settings: that the trends were judged by.
        measures: the model's labels, at least one once there is a scored note.
        voice: measures of the voice that any note has.
        mix: of the recent notes; None where none is scored.
        own: baseline of the relative scores; None where the model has no rule for one.
        remark: one sentence on where the notes come from, if they are an example.
        covered: days with notes, by any model; none: those of the first measure.
        unread: labels whose trend another release kept in a way that this one cannot read.
        unread_voice: measures of the voice likewise.
    """

    subject: str
    tenant: str
    as_of: date
    settings: TrendSettings
    measures: tuple[Measure, ...] = ()
    voice: tuple[Measure, ...] = ()
    mix: Mix | None = None
    own: OwnBaseline | None = None
    remark: str | None = None
    covered: tuple[Day, ...] = ()
    unread: tuple[str, ...] = ()
    unread_voice: tuple[str, ...] = ()

    @property
    def days(self) -> tuple[Day, ...]:
        """Each day once, by the model of the trends where that scored it; their counts are those of every measure."""
        model = self.measures[0].trend.model if self.measures else None
        chosen: dict[date, Day] = {}
        for day in self.covered or (self.measures[0].days if self.measures else ()):
            if day.day not in chosen or day.model == model:
                chosen[day.day] = day
        return tuple(chosen[day] for day in sorted(chosen))
