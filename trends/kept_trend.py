"""Reads a person's trend back from the plain JSON that `PersonTrend.as_dict` gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from trends.day_baseline import read_day_baseline
from trends.evidence import Amount
from trends.model_switch import ModelOffset
from trends.person_trend import ChartPoint, Evidence, PersonTrend, RecentLevel, TrendReason, TrendState
from trends.shift import Shift
from trends.slope import Slope
from trends.variation import Variation

_DAYS = frozenset({"as_of", "day", "first_day", "last_day", "flagged_on", "since"})


def read_person_trend(raw: Mapping[str, Any], *, chart: Sequence[Mapping[str, Any]] | None = None) -> PersonTrend:
    """Return the trend that was kept.

    Args:
        raw: of `PersonTrend.as_dict`.
        chart: its points where they are kept apart; None: they are in `raw`.

    Raises:
        ValueError: something is missing or not what `as_dict` gives.

    Example:
        >>> amount = Amount(days=4, notes=6, speech_s=80.0)
        >>> trend = PersonTrend(
        ...     state=TrendState.INSUFFICIENT, reason=TrendReason.TOO_FEW_BASELINE_DAYS, as_of=date(2026, 5, 1), model="m",
        ...     evidence=Evidence(baseline=amount, recent=amount),
        ... )
        >>> read_person_trend(trend.as_dict()) == trend
        True
    """
    try:
        points = raw.get("chart", ()) if chart is None else chart
        return PersonTrend(
            state=TrendState(raw["state"]),
            reason=TrendReason(raw["reason"]),
            as_of=date.fromisoformat(raw["as_of"]),
            model=raw["model"],
            evidence=Evidence(**{name: Amount(**raw["evidence"][name]) for name in ("baseline", "recent")}),
            baseline=None if raw["baseline"] is None else read_day_baseline(raw["baseline"]),
            is_restarted=raw["is_restarted"],
            offset=_read(ModelOffset, raw["offset"]),
            recent=_read(RecentLevel, raw["recent"]),
            shift=_read(Shift, raw["shift"]),
            slope=_read(Slope, raw["slope"]),
            variation=_read(Variation, raw["variation"]),
            chart=tuple(ChartPoint(**_with_days(point)) for point in points),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"a kept trend cannot be read: {error}; needed is what PersonTrend.as_dict gives") from error


def _read(kind: Any, raw: Mapping[str, Any] | None) -> Any:
    return None if raw is None else kind(**_with_days(raw))


def _with_days(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: date.fromisoformat(value) if name in _DAYS else value for name, value in raw.items()}
