"""What the API answers about a person's days and trends, as frozen records; levels of labels are log odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from tonalog.client.records import ModelName, Page, Record


class Level(Record):
    """The level of a day in one measure, and its standard error."""

    level: float
    error: float


class Day(Record):
    """One day of a person on the recorder's calendar; with counts of what could not be heard, and None where no note is scored."""

    day: date
    week: date
    n_scored: int
    n_uncertain: int
    n_no_speech: int
    n_failed: int
    n_pending: int
    speech_ms: int
    scores: Mapping[str, float] | None
    relative: Mapping[str, float] | None
    levels: Mapping[str, Level] | None
    arousal: float | None
    valence: float | None
    refreshed_at: datetime


class DayPage(Page[Day]):
    """A page of days; `is_up_to_date` is False until the refresh that follows a change."""

    model: ModelName | None
    is_up_to_date: bool
    days: Sequence[Day]

    @property
    def rows(self) -> Sequence[Day]:
        """The days."""
        return self.days


class Amount(Record):
    """How much there is."""

    days: int
    notes: int
    speech_s: float


class Evidence(Record):
    """How much there is, or is needed, to judge a person by: in the baseline and recently."""

    baseline: Amount
    recent: Amount


class DayBaseline(Record):
    """The days that are this person's own usual, chosen once and then kept."""

    model: str
    first_day: date
    last_day: date
    n_days: int
    n_notes: int
    speech_s: float
    mean: float
    mean_error: float
    sd: float
    autocorrelation: float
    method_version: int


class Recent(Record):
    """The recent days against the baseline, with an interval for one look."""

    first_day: date
    last_day: date
    level: float
    difference: float
    low: float
    high: float
    effect_size: float


class Shift(Record):
    """Since when the days are beyond what is usual for this person."""

    flagged_on: date
    since: date
    average: float
    error: float
    limit: float


class Slope(Record):
    """How days moved over a period, per 30 days, with an interval."""

    per_month: float
    low: float
    high: float
    n_days: int
    span_days: int


class Variation(Record):
    """How much days vary; it adds little to the level."""

    sd: float
    rmssd: float | None
    inertia: float
    n_days: int


class ModelOffset(Record):
    """How the active model's levels were joined to a baseline of an earlier one."""

    earlier: str
    later: str
    offset: float
    error: float
    ratio: float
    n_days: int


class ChartPoint(Record):
    """One observed day after the baseline, its weighted average so far, and the limits."""

    day: date
    level: float
    average: float
    low: float
    high: float


class Trend(Record):
    """One measure of a person: `state` is `stable`, `shifted_up`, `shifted_down`, or `insufficient`, which has no numbers."""

    measure: str
    scale: str
    state: str
    reason: str
    as_of: date
    since: date | None
    evidence: Evidence
    baseline: DayBaseline | None
    is_restarted: bool
    offset: ModelOffset | None
    recent: Recent | None
    shift: Shift | None
    slope: Slope | None
    variation: Variation | None
    chart: Sequence[ChartPoint] | None
    refreshed_at: datetime


class TrendList(Record):
    """Every measure of a person, and how much is `needed` for a number; `is_up_to_date` is False until the refresh that follows a change."""

    model: ModelName | None
    is_up_to_date: bool
    needed: Evidence
    trends: Sequence[Trend]
    voice: Sequence[Trend]
