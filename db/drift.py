"""Keeps how far scores have drifted, one row a night and model, for whoever watches: status, pages, metrics, alerts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from db.columns import db_now
from db.drift_schema import drift_nights
from db.engine import reading
from db.reasons import DriftState
from db.schema import models

_c = drift_nights.c


@dataclass(frozen=True, kw_only=True)
class DriftMeasure:
    """How far one distribution has moved: that of labels (`labels`), or of the scores of one class.

    `divergence` is in bits, 0 to 1, and has moved beyond `limit`; `low` and `high` are the interval of 95 % of the divergence
    without what chance adds.
    """

    name: str
    divergence: float
    limit: float
    low: float
    high: float

    @property
    def has_moved(self) -> bool:
        """Whether the divergence is beyond its limit."""
        return self.divergence > self.limit


@dataclass(frozen=True, kw_only=True)
class NewDriftNight:
    """What one night found of one model; days are local ones, both ends included."""

    night: date
    model_id: int
    recent_since: date
    recent_until: date
    reference_since: date
    reference_until: date
    n_recent: int
    n_reference: int
    n_persons: int
    state: DriftState
    measures: Sequence[DriftMeasure]


@dataclass(frozen=True, kw_only=True)
class DriftNight(NewDriftNight):
    """A night as it is kept, with the model's name and when it was measured."""

    model: str
    is_active: bool
    measured_at: datetime

    @property
    def largest(self) -> DriftMeasure | None:
        """The measure that has moved most; None where there were too few notes."""
        return self.measures[0] if self.measures else None


def write_drift(engine: Engine, night: NewDriftNight) -> None:
    """Keep what a night found of a model, in the place of an earlier look of the same night."""
    values = asdict(night) | {"measures": [asdict(measure) for measure in night.measures], "measured_at": db_now()}
    insert = postgresql_insert if engine.dialect.name == "postgresql" else sqlite_insert
    made = insert(drift_nights).values(values)
    newer = {name: made.excluded[name] for name in values if name not in {"night", "model_id"}}
    with engine.begin() as connection:
        connection.execute(made.on_conflict_do_update(index_elements=["night", "model_id"], set_=newer))


def read_drift(engine: Engine, *, n_nights: int = 1, model_id: int | None = None) -> list[DriftNight]:
    """Read the last nights, the newest first and its models in the order in which they were added.

    Args:
        engine: the database.
        n_nights: of how many nights.
        model_id: of this model only; None: of each that was measured in these nights.
    """
    of_model = [] if model_id is None else [_c.model_id == model_id]
    last = select(_c.night).where(*of_model).distinct().order_by(_c.night.desc()).limit(n_nights)
    name = (models.c.name + "-" + models.c.version).label("model")
    wanted = (
        select(*(column for column in _c), name, models.c.is_active)
        .join(models, models.c.id == _c.model_id)
        .where(_c.night.in_(last), *of_model)
        .order_by(_c.night.desc(), _c.model_id)
    )
    with reading(engine) as connection:
        return [_as_night(row._asdict()) for row in connection.execute(wanted)]


def _as_night(values: dict[str, Any]) -> DriftNight:
    measures = tuple(DriftMeasure(**measure) for measure in values["measures"])
    return DriftNight(**values | {"state": DriftState(values["state"]), "measures": measures})
