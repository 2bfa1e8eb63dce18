"""Find the bundle of a registered model: on this machine, or in the bundle store."""

from __future__ import annotations

import logging
from pathlib import Path

from config.settings import Settings
from db.rows import Model
from worker.bundle_cache import keep_copy, read_copy
from worker.bundle_store import BundleStore
from worker.scoring.bundle import Bundle, BundleError, check_registered, load_bundle, make_bundle
from worker.scoring.processor import find_overflow, find_processor

_log = logging.getLogger(__name__)
CACHE_FOLDER = "bundle-cache"


def find_bundle(settings: Settings, model: Model) -> Bundle:
    """Load exactly the bundle that was registered as a model.

    First come the folder that it was registered from and the shipped bundles; then a copy of the stored one, then the
    store of `TONALOG_BUNDLES`. A folder that holds something else is passed over where the store has the bundle.

    Args:
        settings: of this process.
        model: with the hash of its bundle; one that an earlier release registered without it is in no store.

    Raises:
        BundleError: no place holds the bundle, or what is there is not the registered one.
        StorageError: no folder holds it, and the store cannot be reached.
    """
    name = f"{model.name}-{model.version}"
    places = [Path(model.folder), settings.models_dir / name]
    refused: BundleError | None = None
    for place in places:
        if (place / "manifest.json").is_file():
            try:
                return _check(load_bundle(place), model)
            except BundleError as error:
                refused = refused or error
    stored = _fetch(settings, model)
    if stored is not None:
        if refused is not None:
            _log.warning("a bundle's folder was changed, the stored one is used", extra={"model_id": model.id})
        return stored
    if refused is not None:
        raise refused
    tried = " or ".join(str(place) for place in places)
    store = settings.bundles or settings.home / ".bundles"
    raise BundleError(f"model {name} is not at {tried} and not in {store}: `tonalog models add DIR` stores it there")


def warn_of_overflow(bundle: Bundle) -> None:
    """Write a warning where this processor can give other scores than others: `tonalog doctor` says what to do."""
    processor = find_processor()
    largest = find_overflow(processor, bundle.model_bytes)
    if largest is not None:
        _log.warning(
            "sums of int8 products of this model can overflow on this processor",
            extra={"model": bundle.manifest.name, "products": processor.products, "largest_weight": largest},
        )


def _fetch(settings: Settings, model: Model) -> Bundle | None:
    sha256 = model.bundle_sha256
    if sha256 is None:
        return None
    cache = settings.home / CACHE_FOLDER
    files = read_copy(cache, sha256)
    if files is None:
        store = BundleStore.of(settings)
        files = store.fetch(sha256)
        if files is None:
            return None
        if store.is_remote:
            keep_copy(cache, sha256, files)
    return _check(make_bundle(files, folder=cache / sha256), model)


def _check(bundle: Bundle, model: Model) -> Bundle:
    check_registered(bundle, sha256=model.bundle_sha256, model_sha256=model.sha256, manifest=model.manifest)
    return bundle
