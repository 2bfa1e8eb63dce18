"""The documents about a person's trends: where the recent days are against the person's own baseline, and why.

Levels and differences of a label are log odds of the voice's expressed emotion as the model hears it, those of a measure of the
voice are on the scale that is named (docs/trends.md).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from api.person_bodies import IS_UP_TO_DATE
from api.shared_bodies import MODEL, ModelName, example
from db.people_rows import SubjectTrend
from db.reasons import TrendState
from trends import Scale, find_measure
from trends.person_trend import Evidence

_AMOUNT = {"days": 12, "notes": 17, "speech_s": 402.0}
_NEEDED = {
    "baseline": {"days": 60, "notes": 60, "speech_s": 600.0},
    "recent": {"days": 5, "notes": 5, "speech_s": 60.0},
}
_BASELINE: dict[str, Any] = {
    "model": "speech-emotion-0.6.0",
    "first_day": "2025-11-20",
    "last_day": "2026-02-14",
    "n_days": 60,
    "n_notes": 81,
    "speech_s": 1810.5,
    "mean": -1.41,
    "mean_error": 0.11,
    "sd": 0.62,
    "autocorrelation": 0.28,
    "method_version": 1,
}
_TREND: dict[str, Any] = {
    "measure": "sadness",
    "scale": "log_odds",
    "state": "shifted_up",
    "reason": "beyond_limit",
    "as_of": "2026-03-20",
    "since": "2026-03-02",
    "evidence": {"baseline": {"days": 60, "notes": 81, "speech_s": 1810.5}, "recent": _AMOUNT},
    "baseline": _BASELINE,
    "is_restarted": False,
    "offset": None,
    "recent": {
        "first_day": "2026-03-07",
        "last_day": "2026-03-20",
        "level": -0.73,
        "difference": 0.68,
        "low": 0.29,
        "high": 1.07,
        "effect_size": 1.1,
    },
    "shift": {"flagged_on": "2026-03-14", "since": "2026-03-02", "average": 0.92, "error": 0.29, "limit": 3.1},
    "slope": {"per_month": 0.4, "low": 0.1, "high": 0.71, "n_days": 58, "span_days": 90},
    "variation": {"sd": 0.66, "rmssd": 0.81, "inertia": 0.26, "n_days": 58},
    "chart": None,
    "refreshed_at": "2026-03-20T19:04:11.020000Z",
}


class Amount(BaseModel):
    """How much there is."""

    days: int = Field(description="With a level.")
    notes: int = Field(description="Scored ones in them.")
    speech_s: float


class EvidenceBody(BaseModel):
    """How much there is to judge the person by."""

    model_config = example({"baseline": {"days": 60, "notes": 81, "speech_s": 1810.5}, "recent": _AMOUNT})

    baseline: Amount = Field(description="In the baseline's days, or collected so far while there is no baseline.")
    recent: Amount = Field(description="In the recent days after the baseline.")

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """Write how much is needed."""
        return cls.model_validate(asdict(evidence))


class DayBaselineBody(BaseModel):
    """The days that are this person's own usual, chosen once and then kept."""

    model_config = example(_BASELINE)

    model: str
    first_day: date
    last_day: date
    n_days: int
    n_notes: int
    speech_s: float
    mean: float
    mean_error: float = Field(description="Standard error of the mean, with the autocorrelation.")
    sd: float = Field(description="Of single days.")
    autocorrelation: float = Field(description="Of neighbouring days.")
    method_version: int

    @classmethod
    def of(cls, baseline: Mapping[str, Any]) -> Self:
        """Write a baseline as `trends.DayBaseline.as_dict` has it."""
        same = {name: baseline[name] for name in cls.model_fields if name in baseline}
        error = baseline["sd"] / math.sqrt(baseline["information"])
        return cls(mean_error=error, autocorrelation=baseline["rho"], **same)


class RecentBody(BaseModel):
    """The recent days against the baseline; the interval holds for one look on a day that was chosen beforehand."""

    model_config = example(_TREND["recent"])

    first_day: date
    last_day: date
    level: float
    difference: float = Field(description="From the baseline's mean.")
    low: float = Field(description="Lower end of its interval.")
    high: float = Field(description="Upper end of its interval.")
    effect_size: float = Field(description="`difference` in standard deviations of the baseline's single days.")


class ShiftBody(BaseModel):
    """Since when the days are beyond what is usual for this person, and by how much."""

    model_config = example(_TREND["shift"])

    flagged_on: date = Field(description="From this day on, without a break, the chart is beyond its limit.")
    since: date = Field(description="The day with which the shift most likely began.")
    average: float = Field(description="Of the chart now, in the baseline's standard deviations from its mean.")
    error: float = Field(description="Standard error of that.")
    limit: float = Field(description="How many standard errors are beyond what is usual.")


class SlopeBody(BaseModel):
    """How days moved over a period: the median of pairwise slopes, with its interval."""

    model_config = example(_TREND["slope"])

    per_month: float = Field(description="Change in 30 days.")
    low: float
    high: float
    n_days: int
    span_days: int


class VariationBody(BaseModel):
    """How much days vary; it adds little to the level."""

    model_config = example(_TREND["variation"])

    sd: float
    rmssd: float | None
    inertia: float
    n_days: int


class ModelOffsetBody(BaseModel):
    """How the active model's levels were joined to a baseline of an earlier one, by days that both have scored."""

    model_config = example(
        {
            "earlier": "whisper3-0.5.1",
            "later": "speech-emotion-0.6.0",
            "offset": 0.2,
            "error": 0.05,
            "ratio": 1.1,
            "n_days": 21,
        }
    )

    earlier: str
    later: str
    offset: float
    error: float
    ratio: float
    n_days: int


class ChartPointBody(BaseModel):
    """One observed day after the baseline."""

    model_config = example({"day": "2026-03-14", "level": -0.6, "average": -0.81, "low": -1.9, "high": -0.92})

    day: date
    level: float
    average: float = Field(description="Weighted mean of the days so far, which is held against the limits.")
    low: float
    high: float


class TrendBody(BaseModel):
    """One measure of a person; what is null is not known, and all numbers are where the state is `insufficient`."""

    model_config = example(_TREND)

    measure: str = Field(description="A label of the model, such as `sadness`, or a measure of the voice.")
    scale: Scale = Field(
        description="Of all levels and differences: `log_odds` of a label; docs/trends.md has the others."
    )
    state: TrendState = Field(description="Where the recent days are against the person's own baseline.")
    reason: str = Field(description="Why, such as `within_limits`, `beyond_limit` or `too_few_baseline_days`.")
    as_of: date = Field(description="The last day that counted.")
    since: date | None = Field(description="The day with which a shift most likely began.")
    evidence: EvidenceBody
    baseline: DayBaselineBody | None
    is_restarted: bool = Field(description="Whether a change of model made an earlier baseline useless.")
    offset: ModelOffsetBody | None
    recent: RecentBody | None
    shift: ShiftBody | None
    slope: SlopeBody | None
    variation: VariationBody | None
    chart: list[ChartPointBody] | None = Field(description="Null unless `chart=true`.")
    refreshed_at: datetime

    @classmethod
    def of(cls, trend: SubjectTrend, *, has_chart: bool) -> Self:
        """Write a trend, with the points of its chart where they are wanted."""
        same = ("measure", "state", "reason", "as_of", "since", "refreshed_at")
        inside = ("evidence", "is_restarted", "offset", "recent", "shift", "slope", "variation")
        document = {name: getattr(trend, name) for name in same} | {name: trend.trend[name] for name in inside}
        document["baseline"] = None if trend.baseline is None else DayBaselineBody.of(trend.baseline)
        document["scale"] = find_measure(trend.measure).scale
        document["chart"] = list(trend.chart) if has_chart else None
        return cls.model_validate(document)


class TrendList(BaseModel):
    """Every measure of a person under one model; none as long as the person was not looked at."""

    model_config = example({"model": MODEL, "is_up_to_date": True, "needed": _NEEDED, "trends": [_TREND], "voice": []})

    model: ModelName | None = Field(description="That scores now, or that was asked for.")
    is_up_to_date: bool = Field(description=IS_UP_TO_DATE)
    needed: EvidenceBody = Field(description="How much of each has to be there before a trend has a number.")
    trends: list[TrendBody] = Field(description="Of each label of the model.")
    voice: list[TrendBody] = Field(
        description="Of each measure of the voice that any note has; they need no emotion model."
    )
