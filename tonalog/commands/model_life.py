"""`tonalog models show | retire | remove`: what there is of a model version, and its end."""

from __future__ import annotations

import click

from config.settings import Settings
from db import Engine, activation, model_ends, models
from db.model_ends import ModelState
from db.rows import Model
from storage.errors import StorageError
from tonalog.screen import new_table, say, show
from tonalog.session import open_database


def shorten_hash(model: Model) -> str:
    """Show the hash of the whole bundle, or say that a release registered it that kept none."""
    return model.bundle_sha256[:12] if model.bundle_sha256 else "not kept"


def name_store(settings: Settings) -> str:
    """Say where bundles are stored."""
    return settings.bundles or str(settings.home / ".bundles")


def say_unless_stored(settings: Settings, model: Model) -> None:
    """Warn that workers of other machines may not have a bundle, where a place is named from which they fetch it."""
    if settings.bundles is not None and (where := _describe_store(settings, model)) != settings.bundles:
        say(f"Its bundle is not known to be stored ({where}): `tonalog models add DIR` stores it for every worker.")


@click.command(name="show", epilog="Example: tonalog models show 0.7.0")
@click.argument("version")
def show_model(version: str) -> None:
    """Show one model: state, bundle, results, jobs, how much of the active one it covers, and its switches."""
    settings = Settings.read()
    engine = open_database(settings)
    model = models.resolve(engine, version)
    table = new_table(f"{model.name}-{model.version}", ["", ""])
    for name, value in _describe(engine, settings, model):
        table.add_row(name, value)
    show(table)
    switches = activation.list_activations(engine, model_id=model.id)
    if switches:
        listed = new_table("Switches", ["at", "to", "from", "covered", "forced"])
        for one in switches:
            forced = "yes" if one.is_forced else ""
            counts = f"{one.n_covered} of {one.n_results}"
            listed.add_row(f"{one.at:%Y-%m-%d %H:%M}", one.model, one.previous or "", counts, forced)
        show(listed)


@click.command(name="retire", epilog="Example: tonalog models retire 0.6.0")
@click.argument("version")
@click.option("--undo", is_flag=True, help="Make it a candidate again.")
def retire(version: str, *, undo: bool) -> None:
    """Let nobody score with VERSION or switch to it any more. Its results stay, and readers may ask for them."""
    engine = open_database(Settings.read())
    model = models.resolve(engine, version)
    if undo:
        model_ends.restore(engine, model)
        say(f"{model.name}-{model.version} is a candidate again.")
        return
    model_ends.retire(engine, model)
    say(f"{model.name}-{model.version} is retired.")


@click.command(name="remove", epilog="Example: tonalog models remove 0.6.0")
@click.argument("version")
def remove(version: str) -> None:
    """Remove the bundle of VERSION from the store, and its row where it was never used.

    Results are never removed by this. A model that has some must be retired first; its row stays, so that readers can ask for
    them. Refused for the active model and for one with jobs that have not ended.
    """
    settings = Settings.read()
    engine = open_database(settings)
    model = models.resolve(engine, version)
    model_ends.begin_removal(engine, model)
    n_files = _remove_files(settings, model)
    name = f"{model.name}-{model.version}"
    rest = "It is not registered any more." if model_ends.forget(engine, model) else "Its results stay."
    say(f"{n_files} files of {name} removed from {name_store(settings)}. {rest}")


def _remove_files(settings: Settings, model: Model) -> int:
    from worker.bundle_store import BundleStore  # noqa: PLC0415 - most commands need no store

    return 0 if model.bundle_sha256 is None else BundleStore.of(settings).remove(model.bundle_sha256)


def _describe(engine: Engine, settings: Settings, model: Model) -> list[tuple[str, str]]:
    use = model_ends.read_use(engine, model.id)
    state = model_ends.read_states(engine)[model.id]
    jobs = ", ".join(f"{n} {kind.value.lower()}" for kind, n in sorted(use.n_jobs.items()))
    lines = [
        ("state", state.value),
        ("labels", " ".join(model.labels)),
        ("bundle", model.bundle_sha256 or "no hash was kept"),
        ("stored", _describe_store(settings, model)),
        ("registered from", model.folder),
        ("added", f"{model.added_at:%Y-%m-%d %H:%M}"),
        ("results", str(use.n_results)),
        ("jobs", jobs or "none"),
    ]
    covered = None if state is ModelState.ACTIVE else activation.read_coverage(engine, model.id)
    return lines if covered is None else [*lines, ("covers of the active one", covered.describe())]


def _describe_store(settings: Settings, model: Model) -> str:
    from worker.bundle_store import BundleStore  # noqa: PLC0415

    where = name_store(settings)
    if model.bundle_sha256 is None:
        return f"no: `tonalog models add {model.folder}` stores it"
    try:
        return where if BundleStore.of(settings).has(model.bundle_sha256) else f"not in {where}"
    except StorageError as error:
        return f"unknown: {error}"
