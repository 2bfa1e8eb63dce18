"""Carry out what erasures have begun: remove objects, wipe their names, rewrite the database; never chooses whom."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from db import Engine, removals
from db.removals import ObjectToRemove
from db.residue import Residue, scrub
from storage.errors import StorageDenied, StorageError
from storage.protocol import ObjectStore
from storage.sidecars import SUFFIX, sidecar_keys

_log = logging.getLogger(__name__)
BATCH = 500
MAX_UNAVAILABLE = 3
_STILL_SIGNED = "a URL that was signed for an upload is good for some minutes more, and whoever has it could bring it back: try again"


@dataclass(frozen=True)
class Carried:
    """How far it came: objects gone by now, objects left, what the first one left said, and what the database keeps."""

    n_gone: int
    n_left: int
    problem: str | None
    residue: Residue = field(default_factory=Residue)


def carry_out(engine: Engine, open_store: Callable[[str, str], ObjectStore]) -> Carried:
    """Remove the objects of every unfinished erasure, and finish those with none left.

    May be killed at any moment and called again: an object's name is wiped only after a look that did not find it.
    An object that cannot be removed is left and the others go on, until a store was unavailable three times.

    Args:
        engine: the database.
        open_store: from kind of store and bucket to the store.

    Raises:
        DatabaseError: the database cannot be reached, or is too busy to be cleaned of old rows.
    """
    stores: dict[tuple[str, str], ObjectStore] = {}
    problems: list[StorageError] = []
    n_gone, after_id = 0, 0
    while batch := removals.objects_to_remove(engine, after_id=after_id, limit=BATCH):
        gone = _remove(batch, stores, open_store, problems=problems)
        n_forgotten = removals.forget_objects(engine, gone)
        n_gone += n_forgotten
        if n_forgotten < len(gone):
            problems.append(StorageDenied(_STILL_SIGNED))
        after_id = batch[-1].id
        if _is_hopeless(problems):
            break
    residue = scrub(engine)
    removals.finish(engine)
    n_left = sum(erasure.n_left for erasure in removals.unfinished(engine))
    _log.info("erasures carried out", extra={"n_gone": n_gone, "n_left": n_left})
    if residue.uncleaned_tables:
        _log.warning("this role may not clean all tables", extra={"tables": residue.uncleaned_tables})
    return Carried(n_gone=n_gone, n_left=n_left, problem=str(problems[0]) if problems else None, residue=residue)


def _remove(
    batch: list[ObjectToRemove],
    stores: dict[tuple[str, str], ObjectStore],
    open_store: Callable[[str, str], ObjectStore],
    *,
    problems: list[StorageError],
) -> list[ObjectToRemove]:
    gone: list[ObjectToRemove] = []
    for item in batch:
        place = (item.store, item.bucket)
        try:
            if place not in stores:
                stores[place] = open_store(*place)
            _erase(stores[place], item.key)
        except StorageError as error:
            problems.append(error)
            if _is_hopeless(problems):
                break
        else:
            gone.append(item)
    return gone


def _erase(store: ObjectStore, key: str) -> None:
    """Remove a recording and the sidecars that name its person; one that another recording has too stays with that."""
    store.erase(key)
    if key.endswith(SUFFIX):
        return
    for sidecar in sidecar_keys(key):
        if sidecar == key + SUFFIX or not _has_other_recordings(store, sidecar, key):
            store.erase(sidecar)


def _has_other_recordings(store: ObjectStore, sidecar: str, key: str) -> bool:
    beside = store.list_objects(sidecar.removesuffix(SUFFIX) + ".")
    return any(
        item.key != key and sidecar in sidecar_keys(item.key)
        for page in beside
        for item in page
        if not item.key.endswith(SUFFIX)
    )


def _is_hopeless(problems: list[StorageError]) -> bool:
    # A refusal is answered at once; a store that is down takes half a minute to give up on, for each object.
    return sum(not isinstance(problem, StorageDenied) for problem in problems) >= MAX_UNAVAILABLE
