"""Registers model versions and says which one readers see; it never opens a bundle."""

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, insert, select, update

from db import activation
from db.columns import db_now
from db.engine import reading
from db.errors import ConstraintViolated, ModelConflict, RowNotFound
from db.model_rows import ModelKey, as_model, read_model, read_models
from db.model_schema import model_ends
from db.rows import Model, NewModel
from db.schema import models

__all__ = [
    "ModelKey",
    "activate",
    "active_key",
    "active_model",
    "add_model",
    "as_model",
    "choose",
    "list_keys",
    "list_models",
    "read_model",
    "read_models",
    "resolve",
]
_KEY = select(models.c.id, models.c.name, models.c.version)


def add_model(engine: Engine, new: NewModel) -> Model:
    """Register a bundle; again with the same content changes nothing but the folder it lies in.

    Raises:
        ModelConflict: this name and version is registered with other files; the message names the first that differs.
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
        return read_models(connection)


def activate(engine: Engine, model_id: int, *, force: bool = False) -> Model:
    """Make one model version the active one, as `db.activation.activate` does and with its errors, and give it."""
    return activation.activate(engine, model_id, force=force).model


def active_model(engine: Engine) -> Model | None:
    """Read the active model version; None before the first activation."""
    with reading(engine) as connection:
        row = connection.execute(select(models).where(models.c.is_active)).one_or_none()
    return None if row is None else as_model(row._asdict())


def active_key(engine: Engine) -> ModelKey | None:
    """Read which model version is active, without its manifest; None before the first activation."""
    with reading(engine) as connection:
        row = connection.execute(_KEY.where(models.c.is_active)).one_or_none()
    return None if row is None else ModelKey(**row._asdict())


def list_keys(engine: Engine) -> list[ModelKey]:
    """Read which model versions are registered, without their manifests."""
    with reading(engine) as connection:
        return [ModelKey(**row._asdict()) for row in connection.execute(_KEY.order_by(models.c.id))]


def resolve(engine: Engine, wanted: str) -> Model:
    """Find a model by `VERSION` or `NAME-VERSION`.

    Raises:
        RowNotFound: none or several fit; the message lists what there is.
    """
    return choose(list_models(engine), wanted)


def choose(known: Sequence[Model], wanted: str) -> Model:
    """Find a model among those that are registered, as `resolve` does."""
    fitting = [model for model in known if wanted in (model.version, f"{model.name}-{model.version}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(f"{model.name}-{model.version}" for model in fitting)
        raise RowNotFound(f"{wanted} fits several models: say which one of {names}")
    names = ", ".join(f"{model.name}-{model.version}" for model in known)
    listed = f"registered are {names}" if names else "none is registered, `tonalog models add DIR` does it"
    raise RowNotFound(f"there is no model {wanted}: {listed}")


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
            "bundle_sha256": new.bundle_sha256,
            "is_active": False,
            "added_at": db_now(),
        }
        added = connection.execute(insert(models).values(values).returning(*models.c)).one()
        return as_model(added._asdict())
    known = as_model(row._asdict())
    what = f"model {new.name}-{new.version} is registered"
    fix = "results are kept by version, so give the changed bundle a new version"
    if known.sha256 != new.sha256:
        raise ModelConflict(f"{what} with another model.onnx (sha256 {known.sha256}, not {new.sha256}): {fix}")
    if known.manifest != dict(new.manifest):
        differing = sorted(k for k in {*known.manifest, *new.manifest} if known.manifest.get(k) != new.manifest.get(k))
        raise ModelConflict(f"{what} with another manifest.json ({', '.join(differing)} differ): {fix}")
    if known.bundle_sha256 and new.bundle_sha256 and known.bundle_sha256 != new.bundle_sha256:
        raise ModelConflict(f"{what} with another MODEL_CARD.md, licence text or spelling of manifest.json: {fix}")
    # Whoever adds a bundle again that was removed has it back; retired it stays.
    connection.execute(update(model_ends).where(model_ends.c.model_id == known.id).values(removed_at=None))
    values = {"folder": new.folder, "bundle_sha256": known.bundle_sha256 or new.bundle_sha256}
    moved = update(models).where(c.id == known.id).values(values).returning(*models.c)
    return as_model(connection.execute(moved).one()._asdict())
