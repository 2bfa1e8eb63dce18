"""Rows of `models` as dataclasses, for whoever reads them inside a transaction of its own."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from db.rows import Model
from db.schema import models


@dataclass(frozen=True, kw_only=True)
class ModelKey:
    """Which model version, and nothing else of it: manifests are long."""

    id: int
    name: str
    version: str


def read_models(connection: Connection) -> list[Model]:
    """Read every model version on an open connection."""
    return [as_model(row._asdict()) for row in connection.execute(select(models).order_by(models.c.id))]


def read_model(connection: Connection, model_id: int) -> Model | None:
    """Read one model inside a transaction."""
    row = connection.execute(select(models).where(models.c.id == model_id)).one_or_none()
    return None if row is None else as_model(row._asdict())


def as_model(values: dict[str, Any]) -> Model:
    """Make the dataclass of a whole row."""
    return Model(**{**values, "labels": tuple(values["labels"])})
