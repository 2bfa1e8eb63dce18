"""What is said of a person's days in one measure: state, reason, and every number behind it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from trends.day_baseline import DayBaseline
from trends.evidence import Amount
from trends.model_switch import ModelOffset
from trends.shift import Shift
from trends.slope import Slope
from trends.variation import Variation


class TrendState(StrEnum):
    """Where a person's recent days are against the person's own baseline."""

    STABLE = "stable"
    SHIFTED_UP = "shifted_up"
    SHIFTED_DOWN = "shifted_down"
    INSUFFICIENT = "insufficient"


class TrendReason(StrEnum):
    """Why the state is what it is."""

    WITHIN_LIMITS = "within_limits"
    BEYOND_LIMIT = "beyond_limit"
    BASELINE_DAYS_TOO_FAR_APART = "baseline_days_too_far_apart"
    TOO_FEW_BASELINE_DAYS = "too_few_baseline_days"
    TOO_FEW_BASELINE_NOTES = "too_few_baseline_notes"
    TOO_LITTLE_BASELINE_SPEECH = "too_little_baseline_speech"
    TOO_FEW_RECENT_DAYS = "too_few_recent_days"
    TOO_FEW_RECENT_NOTES = "too_few_recent_notes"
    TOO_LITTLE_RECENT_SPEECH = "too_little_recent_speech"


LACK_OF_BASELINE = {
    "days": TrendReason.TOO_FEW_BASELINE_DAYS,
    "notes": TrendReason.TOO_FEW_BASELINE_NOTES,
    "speech_s": TrendReason.TOO_LITTLE_BASELINE_SPEECH,
}
LACK_OF_RECENT = {
    "days": TrendReason.TOO_FEW_RECENT_DAYS,
    "notes": TrendReason.TOO_FEW_RECENT_NOTES,
    "speech_s": TrendReason.TOO_LITTLE_RECENT_SPEECH,
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """How much there is to judge a person by.

    Attributes:
        baseline: in the baseline's days, or by the active model so far as long as there is no baseline.
        recent: in the recent calendar days after the baseline.
    """

    baseline: Amount
    recent: Amount


@dataclass(frozen=True, kw_only=True)
class RecentLevel:
    """The mean of the recent days against the baseline.

    The interval holds for one look on a day that was chosen beforehand. Whether something shifted is what the chart says,
    because it knows that somebody looks every day.

    Attributes:
        first_day: calendar day that the recent days begin with.
        last_day: calendar day that they end with.
        level: mean of the observed ones, log odds on the baseline's scale.
        difference: from the baseline's mean.
        low: lower end of the difference's interval.
        high: upper end of it.
        effect_size: difference in standard deviations of the baseline's single days.
    """

    first_day: date
    last_day: date
    level: float
    difference: float
    low: float
    high: float
    effect_size: float


@dataclass(frozen=True, kw_only=True)
class ChartPoint:
    """The chart on one observed day, log odds on the baseline's scale.

    Attributes:
        day: on the recorder's calendar.
        level: of the day.
        average: weighted mean of the days so far.
        low: the limit below.
        high: the limit above.
    """

    day: date
    level: float
    average: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class PersonTrend:
    """One person's trend in one measure as of a day; what is None is not known, and all of it is where the state is insufficient.

    Attributes:
        state: where the person's chart is.
        reason: why.
        as_of: last day that counted.
        model: that is active.
        evidence: how much there is to judge by.
        baseline: that was judged by; keep it, and give it the next time.
        is_restarted: whether a change of model made an earlier baseline useless, so that a new one is, or has to be, collected.
        offset: between the baseline's model and the active one, where they differ.
        recent: the recent level.
        shift: where the state is `shifted_up` or `shifted_down`.
        slope: over the settings' period.
        variation: of the days of that period; it adds little to the level.
        chart: of each observed day after the baseline.
    """

    state: TrendState
    reason: TrendReason
    as_of: date
    model: str
    evidence: Evidence
    baseline: DayBaseline | None = None
    is_restarted: bool = False
    offset: ModelOffset | None = None
    recent: RecentLevel | None = None
    shift: Shift | None = None
    slope: Slope | None = None
    variation: Variation | None = None
    chart: tuple[ChartPoint, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON: objects, lists, numbers, text and null; days as YYYY-MM-DD."""
        plain: dict[str, Any] = _make_plain(asdict(self))
        return plain


def _make_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _make_plain(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_make_plain(part) for part in value]
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, StrEnum) else value
