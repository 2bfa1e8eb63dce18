"""What the last night found of the drift of scores, as JSON and as one line."""

from __future__ import annotations

from typing import Any

from db import Engine
from db.drift import DriftNight, read_drift
from db.reasons import DriftState
from db.rows import Model


def read_last_drift(engine: Engine, active: Model | None) -> dict[str, Any] | None:
    """Return the active model's last night as the object `drift` of `tonalog status --json`; None before the first."""
    nights = [] if active is None else read_drift(engine, model_id=active.id)
    if not nights:
        return None
    last, largest = nights[0], nights[0].largest
    return {
        "night": last.night.isoformat(),
        "model": last.model,
        "state": last.state.value,
        "moved": [measure.name for measure in last.measures if measure.has_moved],
        "largest": None
        if largest is None
        else {"of": largest.name, "divergence": largest.divergence, "limit": largest.limit},
        "n_recent": last.n_recent,
        "n_reference": last.n_reference,
        "line": say_drift(last),
    }


def say_drift(night: DriftNight) -> str:
    """Return one night in one sentence.

    Example:
        >>> from datetime import UTC, date, datetime
        >>> from db.drift import DriftMeasure
        >>> measure = DriftMeasure(name="sadness", divergence=0.06, limit=0.02, low=0.03, high=0.1)
        >>> day, at = date(2026, 5, 4), datetime(2026, 5, 4, 2, tzinfo=UTC)
        >>> days = {"recent_since": day, "recent_until": day, "reference_since": day, "reference_until": day}
        >>> counts = {"n_recent": 700, "n_reference": 5000, "n_persons": 80}
        >>> say_drift(DriftNight(night=day, model_id=1, model="m-1", is_active=True, measured_at=at, state=DriftState.MOVED,
        ...                      measures=(measure,), **days, **counts))
        'moved in the night of 2026-05-04: sadness by 0.060 bits (limit 0.020), of 700 notes against 5000'
    """
    of = f"of {night.n_recent} notes against {night.n_reference}"
    if night.state is DriftState.TOO_FEW or night.largest is None:
        return f"too few notes or persons to tell in the night of {night.night}, {of}"
    shown = [measure for measure in night.measures if measure.has_moved] or [night.largest]
    listed = ", ".join(f"{one.name} by {one.divergence:.3f} bits (limit {one.limit:.3f})" for one in shown)
    most = "" if night.state is DriftState.MOVED else "at the most "
    return f"{night.state.value} in the night of {night.night}: {most}{listed}, {of}"
