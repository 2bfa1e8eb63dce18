"""Registers model versions and says which one readers see; it never opens a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, exists, func, insert, select, update

from db.columns import db_now
from db.engine import reading
from db.errors import ConstraintViolated, ModelConflict, ModelIncomplete, RowNotFound
from db.people_marks import mark_everybody
from db.reasons import OF_THE_RECORDING, JobState, RecordingState
from db.rows import Model, NewModel
from db.schema import jobs, models, recordings, results

_KEY = select(models.c.id, models.c.name, models.c.version)


@dataclass(frozen=True, kw_only=True)
class ModelKey:
    """Which model version, and nothing else of it: manifests are long."""

    id: int
    name: str
    version: str


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
    """Make one model version the one that the views show and that new recordings are scored with.

    Args:
        engine: the database.
        model_id: the model version.
        force: activate it even if readers lose results by that.

    Raises:
        RowNotFound: there is no such model.
        ModelIncomplete: live recordings that the active model has results for have none under this one, and their jobs
            did not end for a reason of the recording's own, such as NOT_AUDIO or OBJECT_MISSING.
    """
    with engine.begin() as connection:
        # Two activations at once: the second waits for the first one's rows.
        connection.execute(select(models.c.id).order_by(models.c.id).with_for_update()).all()
        if not force:
            _require_results(connection, model_id)
        connection.execute(update(models).where(models.c.is_active, models.c.id != model_id).values(is_active=False))
        row = connection.execute(
            update(models)
            .where(models.c.id == model_id)
            .values(is_active=True, activated_at=db_now())
            .returning(*models.c)
        ).one_or_none()
        if row is None:
            raise RowNotFound(f"there is no model with id {model_id}: `tonalog models list` shows what there is")
        mark_everybody(connection)  # pending notes and trends are those of the active model
        return as_model(row._asdict())


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


def _require_results(connection: Connection, model_id: int) -> None:
    new = read_model(connection, model_id)
    old = connection.execute(select(models).where(models.c.is_active)).one_or_none()
    if new is None or old is None or old.id == model_id:
        return
    counts = _count_by_progress(connection, old_id=old.id, new_id=model_id)
    missing = {kind: n for kind, n in counts.items() if kind != "handled"}
    if not missing:
        return
    words = {"none": "without a job", "open": "in work", "dead": "dead, see `tonalog dead` and `tonalog retry`"}
    parts = ", ".join(f"{missing[kind]} {text}" for kind, text in words.items() if kind in missing)
    raise ModelIncomplete(
        f"{new.name}-{new.version} is not activated: of {sum(counts.values())} recordings that {old.name}-{old.version} "
        f"has results for, {sum(missing.values())} have none under it ({parts}), and readers would lose them. "
        f"`tonalog reprocess --model {new.version}` makes the jobs; --force activates it all the same"
    )


def _count_by_progress(connection: Connection, *, old_id: int, new_id: int) -> dict[str, int]:
    """Count the live recordings with a result of one model by how far they have come under another."""
    new = results.alias()
    has_new = exists().where(new.c.recording_id == recordings.c.id, new.c.model_id == new_id)
    is_of_the_recording = and_(
        jobs.c.state.in_((JobState.DEAD, JobState.CANCELLED)), jobs.c.reason.in_(OF_THE_RECORDING)
    )
    kind = case(
        (has_new, "handled"),
        (jobs.c.id.is_(None), "none"),
        (is_of_the_recording, "handled"),
        (jobs.c.state.in_((JobState.DEAD, JobState.CANCELLED)), "dead"),
        else_="open",
    ).label("kind")
    of_old = and_(results.c.recording_id == recordings.c.id, results.c.model_id == old_id)
    of_new = and_(jobs.c.recording_id == recordings.c.id, jobs.c.model_id == new_id)
    sources = recordings.join(results, of_old).outerjoin(jobs, of_new)
    each = select(kind).select_from(sources).where(recordings.c.state == RecordingState.LIVE).subquery()
    statement = select(each.c.kind, func.count()).group_by(each.c.kind)
    return {row[0]: row[1] for row in connection.execute(statement)}


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
    values = {"folder": new.folder, "bundle_sha256": known.bundle_sha256 or new.bundle_sha256}
    moved = update(models).where(c.id == known.id).values(values).returning(*models.c)
    return as_model(connection.execute(moved).one()._asdict())
