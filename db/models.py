"""Registers model versions and says which one readers see; it never opens a bundle."""

from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from db.columns import db_now
from db.engine import reading
from db.errors import ConstraintViolated, ModelConflict, RowNotFound
from db.rows import Model, NewModel
from db.schema import models


def add_model(engine: Engine, new: NewModel) -> Model:
    """Register a bundle; again with the same content changes nothing but the folder it lies in.

    Raises:
        ModelConflict: this name and version is registered with another hash or manifest.
    """
    try:
        with engine.begin() as connection:
            return _add(connection, new)
    except ConstraintViolated:
        # Another process registered the same version between our look and our insert: now it is there to be seen.
        with engine.begin() as connection:
            return _add(connection, new)


def list_models(engine: Engine) -> list[Model]:
    """Read every model version, in the order in which they were added."""
    with reading(engine) as connection:
        return [as_model(row._asdict()) for row in connection.execute(select(models).order_by(models.c.id))]


def activate(engine: Engine, model_id: int) -> Model:
    """Make one model version the one that the views show and that new recordings are scored with.

    Raises:
        RowNotFound: there is no such model.
    """
    with engine.begin() as connection:
        # Two activations at once: the second waits for the first one's rows.
        connection.execute(select(models.c.id).order_by(models.c.id).with_for_update()).all()
        connection.execute(update(models).where(models.c.is_active, models.c.id != model_id).values(is_active=False))
        row = connection.execute(
            update(models)
            .where(models.c.id == model_id)
            .values(is_active=True, activated_at=db_now())
            .returning(*models.c)
        ).one_or_none()
        if row is None:
            raise RowNotFound(f"there is no model with id {model_id}: `tonalog models list` shows what there is")
        return as_model(row._asdict())


def active_model(engine: Engine) -> Model | None:
    """Read the active model version; None before the first activation."""
    with reading(engine) as connection:
        row = connection.execute(select(models).where(models.c.is_active)).one_or_none()
    return None if row is None else as_model(row._asdict())


def resolve(engine: Engine, wanted: str) -> Model:
    """Find a model by `VERSION` or `NAME-VERSION`.

    Raises:
        RowNotFound: none or several fit; the message lists what there is.
    """
    known = list_models(engine)
    fitting = [model for model in known if wanted in (model.version, f"{model.name}-{model.version}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(f"{model.name}-{model.version}" for model in fitting)
        raise RowNotFound(f"{wanted} fits several models: say which one of {names}")
    names = ", ".join(f"{model.name}-{model.version}" for model in known)
    listed = f"registered are {names}" if names else "none is registered, `tonalog models add DIR` does it"
    raise RowNotFound(f"there is no model {wanted}: {listed}")


def read_model(connection: Connection, model_id: int) -> Model | None:
    """Read one model inside a transaction."""
    row = connection.execute(select(models).where(models.c.id == model_id)).one_or_none()
    return None if row is None else as_model(row._asdict())


def as_model(values: dict[str, Any]) -> Model:
    """Make the dataclass of a whole row."""
    return Model(**{**values, "labels": tuple(values["labels"])})


def _add(connection: Connection, new: NewModel) -> Model:
    c = models.c
    row = connection.execute(select(models).where(c.name == new.name, c.version == new.version)).one_or_none()
    if row is None:
        values = {
            "name": new.name,
            "version": new.version,
            "sha256": new.sha256,
            "labels": list(new.labels),
            "manifest": dict(new.manifest),
            "folder": new.folder,
            "is_active": False,
            "added_at": db_now(),
        }
        added = connection.execute(insert(models).values(values).returning(*models.c)).one()
        return as_model(added._asdict())
    known = as_model(row._asdict())
    what = f"model {new.name}-{new.version} is registered"
    mend = "results are kept by version, so give the changed bundle a new version"
    if known.sha256 != new.sha256:
        raise ModelConflict(f"{what} with sha256 {known.sha256}, not {new.sha256}: {mend}")
    if known.manifest != dict(new.manifest):
        differing = sorted(k for k in {*known.manifest, *new.manifest} if known.manifest.get(k) != new.manifest.get(k))
        raise ModelConflict(f"{what} with another manifest ({', '.join(differing)} differ): {mend}")
    moved = update(models).where(c.id == known.id).values(folder=new.folder).returning(*models.c)
    return as_model(connection.execute(moved).one()._asdict())
