"""What the operator's page shows, as records, and how much the scores have drifted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

from db import Engine, models, operations
from db.drift import DriftNight, read_drift
from db.operations import DayOutput, FailureCount, LaneCount, ModelCoverage, WeekScores

OUTPUT_DAYS = 28
DRIFT_WEEKS = 26
DRIFT_NIGHTS = 90
RECENT_WEEKS = 4
LEAST_NOTES = 50  # on either side; with fewer the index is mostly chance
_FLOOR = 0.005  # of a bin's share: an empty bin has no logarithm


@dataclass(frozen=True, kw_only=True)
class OperationsPage:
    """All that the operator's page shows.

    Attributes:
        at: when it was read.
        tenant: whose recordings are counted; None: all.
        lanes: jobs by lane and state.
        failures: of live recordings.
        coverage: of each model, the newest first.
        output: of the last `OUTPUT_DAYS` days.
        weeks: scores of the last `DRIFT_WEEKS` weeks.
        nights: what the last nights found of the active model's drift over all tenants, newest first; None: not for this reader.
    """

    at: datetime
    tenant: str | None
    lanes: tuple[LaneCount, ...] = ()
    failures: tuple[FailureCount, ...] = ()
    coverage: tuple[ModelCoverage, ...] = ()
    output: tuple[DayOutput, ...] = ()
    weeks: tuple[WeekScores, ...] = ()
    nights: tuple[DriftNight, ...] | None = None

    @property
    def active(self) -> ModelCoverage | None:
        """The active model; None where none is."""
        return next((one for one in self.coverage if one.is_active), None)

    def weeks_of(self, label: str) -> list[WeekScores]:
        """Return the weeks of one label under the active model, oldest first."""
        active = self.active
        return [one for one in self.weeks if active is not None and one.model == active.model and one.label == label]


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Simulated persons: which share is flagged up to each monitored day.

    Attributes:
        made_by: the command.
        n_people: of each curve.
        baseline_days: that they had.
        shares: by name, one for each day.
    """

    made_by: str
    n_people: int
    baseline_days: int
    shares: Mapping[str, tuple[float, ...]] = field(repr=False)


def collect_operations(
    engine: Engine, *, at: datetime, tenant: str | None = None, has_drift: bool = False
) -> OperationsPage:
    """Read all that the operator's page shows.

    Args:
        engine: the database.
        at: now.
        tenant: count only this one's recordings; None: all.
        has_drift: read what nights found of drift too, which is of all tenants.
    """
    today = at.astimezone(UTC).date()
    first_week = today - timedelta(days=today.weekday(), weeks=DRIFT_WEEKS - 1)
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    since = midnight - timedelta(days=OUTPUT_DAYS - 1)
    return OperationsPage(
        at=at,
        tenant=tenant,
        lanes=tuple(operations.count_lanes(engine, tenant=tenant)),
        failures=tuple(operations.count_failures(engine, tenant=tenant)),
        coverage=tuple(operations.cover_models(engine, tenant=tenant)),
        output=tuple(operations.list_output(engine, since=since, tenant=tenant)),
        weeks=tuple(operations.list_week_scores(engine, since=first_week, tenant=tenant)),
        nights=_read_nights(engine) if has_drift else None,
    )


def _read_nights(engine: Engine) -> tuple[DriftNight, ...]:
    active = models.active_key(engine)
    return () if active is None else tuple(read_drift(engine, n_nights=DRIFT_NIGHTS, model_id=active.id))


def read_curves() -> Curves:
    """Read the curves that `benchmarks.false_alarm_curves` wrote."""
    raw = json.loads(files("pictures").joinpath("false_alarms.json").read_text(encoding="utf-8"))
    shares = {name: tuple(values) for name, values in raw["curves"].items()}
    return Curves(made_by=raw["made_by"], n_people=raw["n_people"], baseline_days=raw["baseline_days"], shares=shares)


def measure_drift(weeks: Sequence[WeekScores], *, this_week: date) -> float | None:
    """Return by how much the scores of the last four weeks differ from those before.

    It is the population stability index over ten bins of a tenth each: ``sum((p - q) * log(p / q))``. Credit scoring, where it
    comes from (Siddiqi 2006, "Credit Risk Scorecards"), calls under .1 stable and over .25 a shift.

    Args:
        weeks: of one label and model.
        this_week: the Monday of the last week.

    Returns:
        The index, 0 or more; None with fewer than `LEAST_NOTES` notes on either side.
    """
    border = this_week - timedelta(weeks=RECENT_WEEKS - 1)
    before = _add_up([one for one in weeks if one.week < border])
    recent = _add_up([one for one in weeks if border <= one.week <= this_week])
    if min(sum(before), sum(recent)) < LEAST_NOTES:
        return None
    shares = [[max(n / sum(bins), _FLOOR) for n in bins] for bins in (recent, before)]
    return math.fsum((p - q) * math.log(p / q) for p, q in zip(*shares, strict=True))


def _add_up(weeks: Sequence[WeekScores]) -> list[int]:
    return [sum(one.bins[place] for one in weeks) for place in range(operations.N_BINS)]
