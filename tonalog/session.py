"""What most commands need: settings, a database at the newest schema, and an active model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from config.queues import prepare_folders
from config.settings import SHIPPED_MODELS, Settings
from db import Engine, migrate, models, people
from db.engine import make_engine
from db.errors import DatabaseError
from db.model_readers import read_reading
from db.rows import DEFAULT_TENANT, Model, NewModel
from storage.pseudonyms import SubjectNaming
from tonalog.bundles import default_bundle
from tonalog.errors import TonalogError

if TYPE_CHECKING:
    from worker.scoring.bundle import Bundle


def open_database(settings: Settings) -> Engine:
    """Return the engine of a database that is ready.

    The embedded database is made and upgraded on the way; a server's database is only checked, because
    upgrading it is the operator's decision.

    Raises:
        SettingsError: The home folder cannot be used.
        SchemaOutdated: The schema is newer than this release, or a server's is older.
        DatabaseError: The database cannot be reached.
    """
    prepare_folders(settings)
    engine = make_engine(settings.database)
    if engine.dialect.name != "sqlite":
        migrate.require_current(engine)
    elif not migrate.is_current(engine):
        migrate.upgrade(engine)
    return engine


def choose_tenant(settings: Settings, given: str | None) -> str:
    """Return the tenant that a command is about: the one given, or that of `TONALOG_TENANT`, or the default one."""
    return given or getattr(settings, "tenant", None) or DEFAULT_TENANT


def find_subject(engine: Engine, settings: Settings, subject: str, *, tenant: str) -> str:
    """Return how the database writes a person of a tenant now.

    Asked for may be a present or former name, or the pseudonym that views show.

    Raises:
        SubjectKeyMismatch: `TONALOG_SUBJECT_KEY` is not what subjects were stored under, so nobody would be found.
    """
    naming = SubjectNaming.of(settings)
    return people.find_present_name(engine, tenant, naming.find(subject), subject_key=naming.fingerprint)


def choose_model(engine: Engine, wanted: str | None, *, tenant: str, subject: str) -> Model | None:
    """Return the model that is asked for, or that which a person is read under: the active one, or the canary's.

    Raises:
        RowNotFound: None or several are called so.
    """
    if wanted is not None:
        return models.resolve(engine, wanted)
    key = read_reading(engine).key_of(tenant, subject)
    return None if key is None else models.resolve(engine, f"{key.name}-{key.version}")


def say_others(engine: Engine, settings: Settings, subject: str, *, tenant: str) -> str | None:
    """Say how many tenants beside this one have somebody of this name, not which; None where none has."""
    n_others = len(people.tenants_of(engine, SubjectNaming.of(settings).find(subject)) - {tenant})
    if not n_others:
        return None
    return f"{n_others} other tenant{'s have' if n_others > 1 else ' has'} somebody of this name"


def say_nobody(engine: Engine, settings: Settings, subject: str, *, tenant: str) -> str:
    """Say that a tenant has no recordings of a person, and where to look; it names nobody else."""
    others = say_others(engine, settings, subject, tenant=tenant)
    others = f"; {others}, --tenant chooses one" if others else ""
    return f"No recordings of {subject!r} in tenant {tenant!r}{others}. `tonalog subjects list` shows who there is."


def ensure_model(engine: Engine, settings: Settings) -> Model:
    """Return the active model; register and activate the shipped one if none is active.

    An active model that was registered before bundles had one hash gets it, if its bundle is still the same.
    """
    active = models.active_model(engine)
    if active is None:
        folder = default_bundle(settings)
        is_shipped = folder.resolve().parent == SHIPPED_MODELS.resolve()
        added = register_bundle(engine, folder) if is_shipped else register_tried(engine, settings, folder)
        return models.activate(engine, added.id)
    if active.bundle_sha256 is None:
        return _fill_hash(engine, active)
    return active


def register_bundle(engine: Engine, folder: Path) -> Model:
    """Check a bundle folder and register it, without a run; again with the same content changes nothing.

    Raises:
        BundleError: The folder is no sound bundle.
        ModelConflict: Another bundle has this name and version.
    """
    from worker.scoring.bundle import load_bundle  # noqa: PLC0415 - loads the audio stack, and most commands need none

    return _register(engine, load_bundle(folder))


def register_tried(engine: Engine, settings: Settings, folder: Path) -> Model:
    """Check a bundle folder, run its graph in a confined process, register it, and store it for every worker.

    Registered first: a bundle that is refused is not stored, and where storing fails the same call does the rest.

    Raises:
        BundleError: The folder is no sound bundle, or its graph does not run as a worker would need it to.
        ModelConflict: Another bundle has this name and version.
        StorageError: The bundle store cannot be reached or refuses; the bundle is registered and not stored.
    """
    from worker.scoring.bundle import load_bundle  # noqa: PLC0415
    from worker.trial import require_runnable  # noqa: PLC0415

    bundle = load_bundle(folder)
    require_runnable(folder, bundle.sha256, memory_mib=settings.child_memory_mb)
    model = _register(engine, bundle)
    store_bundle(settings, model, folder)
    return model


def store_bundle(settings: Settings, model: Model, folder: Path) -> None:
    """Put the bundle of a registered model where every worker can get it, by its hash.

    Raises:
        BundleError: The folder does not hold the registered bundle (any more).
        StorageError: The bundle store cannot be reached or refuses.
    """
    from worker.bundle_store import BundleStore  # noqa: PLC0415
    from worker.scoring.bundle_files import BundleError, hash_files, read_files  # noqa: PLC0415

    files = read_files(folder)
    if hash_files(files) != model.bundle_sha256:
        raise BundleError(f"{folder} was changed while it was registered: run `tonalog models add` again")
    BundleStore.of(settings).put(files)


def _register(engine: Engine, bundle: Bundle) -> Model:
    manifest = bundle.manifest
    new = NewModel(
        name=manifest.name,
        version=manifest.version,
        sha256=manifest.sha256,
        labels=tuple(manifest.labels),
        manifest=manifest.as_document(),
        folder=str(bundle.folder.resolve()),
        bundle_sha256=bundle.sha256,
    )
    return models.add_model(engine, new)


def _fill_hash(engine: Engine, model: Model) -> Model:
    from worker.scoring.bundle import BundleError, load_bundle  # noqa: PLC0415

    try:
        bundle = load_bundle(Path(model.folder))
        if (bundle.manifest.name, bundle.manifest.version) == (model.name, model.version):
            return _register(engine, bundle)
    except (BundleError, DatabaseError):
        pass  # it may lie on workers' machines only, and this role may only read; workers refuse another bundle anyway
    return model


def need_active_model(engine: Engine) -> Model:
    """Return the active model.

    Raises:
        TonalogError: None is active.
    """
    active = models.active_model(engine)
    if active is None:
        raise TonalogError("No model is active: run `tonalog db upgrade` or `tonalog models activate VERSION`.")
    return active
