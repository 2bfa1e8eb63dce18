"""Measures each night how far every model's scores have drifted, and keeps what it finds."""

from __future__ import annotations

import logging
from datetime import date, timedelta

from db import Engine
from db.drift import DriftMeasure, NewDriftNight, write_drift
from db.drift_counts import Days, count_persons, list_sizes
from db.reasons import DriftState
from trends.comparing.drift import Drift, DriftCounts

_log = logging.getLogger(__name__)
RECENT_DAYS = 7  # whole weeks, since people sound otherwise on Sundays
REFERENCE_DAYS = 56
_LAG_DAYS = 2  # the notes of yesterday are found by this night's scan, and have no result yet


def choose_days(night: date, reference: Days | None = None) -> tuple[Days, Days]:
    """Return the recent days that a night judges, and those that it holds them against.

    Args:
        night: the UTC day of the nightly run.
        reference: a period that stays the same; None: the eight weeks before the recent days. What of it is not before the
            recent days is left out.

    Example:
        >>> recent, reference = choose_days(date(2026, 3, 31))
        >>> print(recent.since, recent.until, reference.since, reference.until)
        2026-03-23 2026-03-29 2026-01-26 2026-03-22
    """
    until = night - timedelta(days=_LAG_DAYS)
    since = until - timedelta(days=RECENT_DAYS - 1)
    before = since - timedelta(days=1)
    if reference is None:
        return Days(since=since, until=until), Days(since=since - timedelta(days=REFERENCE_DAYS), until=before)
    return Days(since=since, until=until), Days(since=reference.since, until=min(reference.until, before))


def measure_night(engine: Engine, night: date, *, reference: Days | None = None) -> list[NewDriftNight]:
    """Measure and keep the drift of each model that has recent notes; again for the same night replaces what was kept.

    Args:
        engine: the database.
        night: the UTC day of the nightly run.
        reference: see `choose_days`.
    """
    recent, before = choose_days(night, reference)
    sizes = list_sizes(engine)
    counts = {model_id: DriftCounts(of_model) for model_id, of_model in sizes.items()}
    for one in count_persons(engine, recent=recent, reference=before):
        if one.model_id in counts:
            counts[one.model_id].add(one.person, recent=one.recent, reference=one.reference)
    measured = []
    for model_id, of_model in counts.items():
        found = of_model.measure(seed=night.toordinal())
        if found.n_recent:
            measured.append(_as_night(night, model_id, recent, before, found))
            write_drift(engine, measured[-1])
    for row in measured:
        fields = {"model_id": row.model_id, "state": row.state.value, "n_recent": row.n_recent}
        _log.log(logging.WARNING if row.state is DriftState.MOVED else logging.INFO, "drift measured", extra=fields)
    return measured


def _as_night(night: date, model_id: int, recent: Days, reference: Days, found: Drift) -> NewDriftNight:
    return NewDriftNight(
        night=night,
        model_id=model_id,
        recent_since=recent.since,
        recent_until=recent.until,
        reference_since=reference.since,
        reference_until=reference.until,
        n_recent=found.n_recent,
        n_reference=found.n_reference,
        n_persons=found.n_persons,
        state=DriftState(found.state.value),
        measures=tuple(
            DriftMeasure(name=one.name, divergence=one.divergence, limit=one.limit, low=one.low, high=one.high)
            for one in found.measures
        ),
    )
