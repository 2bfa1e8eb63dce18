"""What a person's trend is judged by: how much evidence, which chart, which level; every value can be set."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from trends.evidence import Amount

SMALLEST_BASELINE_DAYS = 60  # with fewer the promises on false alarms do not hold


@dataclass(frozen=True, kw_only=True)
class TrendSettings:
    """How trends of days are judged; the defaults are those that `make simulate` holds to their promises.

    Attributes:
        baseline_days: observed days that a baseline is made of, at least 60; 90 finds shifts sooner.
        baseline_notes: scored notes in those days, at least.
        baseline_speech_s: of speech in them, at least.
        baseline_span_days: calendar days that a baseline's days may lie apart, at least `baseline_days`.
        recent_days: calendar days that are the recent level, at least 2.
        recent_min_days: observed days in them, at least; 1 to `recent_days`.
        recent_min_notes: scored notes in them, at least.
        recent_min_speech_s: of speech in them, at least.
        confidence: of intervals, over 0.5 and under 1.
        forgetting: of the chart a calendar day, over 0 and under 1; the smaller, the slower and the more sensitive to small shifts.
        false_alarm_share: of persons whose chart may ever be beyond its limit within the horizon though nothing changed, over 0
            and under 0.5.
        horizon_days: for which that holds, at least 1.
        n_measures: that are watched of each person and share that level, at least 1.
        prior_rho: autocorrelation of neighbouring days that is expected of a person before any is measured.
        prior_rho_sd: how much persons are expected to differ in it, over 0; 0.3 counts as much as ten days.
        clip_sd: a day further from the mean counts as so far in the chart, so that no single day is a shift; over 1.
        smallest_sd: of single days on the scale of the levels; a baseline with a smaller one counts as this one, over 0.
        overlap_days: days with both models, at least, to go on with the baseline of the earlier one; at least 3.
        slope_days: calendar days that the slope is over, at least 3.
        slope_min_days: observed days in them, at least 3.

    Raises:
        ValueError: a value is not allowed.
    """

    baseline_days: int = 60
    baseline_notes: int = 60
    baseline_speech_s: float = 600.0
    baseline_span_days: int = 365
    recent_days: int = 14
    recent_min_days: int = 5
    recent_min_notes: int = 5
    recent_min_speech_s: float = 60.0
    confidence: float = 0.95
    forgetting: float = 0.04
    false_alarm_share: float = 0.05
    horizon_days: int = 90
    n_measures: int = 1
    prior_rho: float = 0.3
    prior_rho_sd: float = 0.3
    clip_sd: float = 3.0
    smallest_sd: float = 0.2
    overlap_days: int = 14
    slope_days: int = 90
    slope_min_days: int = 14

    def __post_init__(self) -> None:
        """Check once, so that no arithmetic has to."""
        infinite = math.inf
        at_least: dict[str, float] = {
            "baseline_days": SMALLEST_BASELINE_DAYS,
            "baseline_notes": 0,
            "baseline_speech_s": 0,
            "baseline_span_days": self.baseline_days,
            "recent_days": 2,
            "recent_min_days": 1,
            "recent_min_notes": 0,
            "recent_min_speech_s": 0,
            "horizon_days": 1,
            "n_measures": 1,
            "overlap_days": 3,
            "slope_days": 3,
            "slope_min_days": 3,
        }
        between: dict[str, tuple[float, float]] = {
            "confidence": (0.5, 1),
            "forgetting": (0, 1),
            "false_alarm_share": (0, 0.5),
            "prior_rho": (-0.3, 0.95),
            "prior_rho_sd": (0, infinite),
            "clip_sd": (1, infinite),
            "smallest_sd": (0, infinite),
        }
        for name, least in at_least.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise ValueError(f"{name} is {value}; allowed are finite values from {least:g}")
        for name, (low, high) in between.items():
            value = getattr(self, name)
            if not low < value < high:
                raise ValueError(f"{name} is {value}; allowed is over {low:g} and under {high:g}")
        for name, most in (("recent_min_days", self.recent_days), ("slope_min_days", self.slope_days)):
            value = getattr(self, name)
            if value > most:
                raise ValueError(f"{name} is {value}; allowed is at most {most}: the days that it is counted in")

    @property
    def needed_for_baseline(self) -> Amount:
        """Return what a baseline needs at least."""
        return Amount(days=self.baseline_days, notes=self.baseline_notes, speech_s=self.baseline_speech_s)

    @property
    def needed_recently(self) -> Amount:
        """Return what a recent level needs at least."""
        return Amount(days=self.recent_min_days, notes=self.recent_min_notes, speech_s=self.recent_min_speech_s)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)
