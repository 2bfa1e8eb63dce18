"""Find troubles by looking: at the ledger, at this host's clock, and at the object storage."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from config.settings import Settings
from db import Engine, pulses
from db.health import Health, read_health
from db.reasons import TroubleKind
from scheduler.troubles import Limits, Trouble, clock_trouble, judge, say_span
from storage.errors import StorageError
from storage.open import open_place
from storage.protocol import ObjectStore
from storage.server_clock import read_server_clock


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look at the ledger found, by which limits it was judged, and what is wrong."""

    health: Health
    limits: Limits
    troubles: tuple[Trouble, ...]


def look_at_ledger(engine: Engine, settings: Settings, *, clock: Callable[[], float] = time.time) -> Look:
    """Judge what the database knows, and hold this host's clock against its clock.

    Args:
        engine: the database.
        settings: say what is allowed.
        clock: seconds since 1970 on this host.

    Raises:
        DatabaseError: the database cannot be reached, or this role may not read all that is needed.
    """
    limits = Limits.of(settings)
    health = read_health(engine)
    troubles = judge(health, limits)
    skew = _say_skew(clock, lambda: pulses.read_clock(engine).timestamp(), limits, where="the database's clock")
    if skew is not None:
        troubles.append(skew)
    return Look(health=health, limits=limits, troubles=tuple(troubles))


class StorageProbe:
    """Lists the storage and compares clocks with it, with one client for all its looks."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        """Get ready; nothing is contacted yet.

        Args:
            settings: say where the storage is; nothing is wrong where none is set.
            clock: seconds since 1970 on this host.
        """
        self._settings = settings
        self._clock = clock
        self._place: tuple[ObjectStore, str] | None = None

    def look(self) -> list[Trouble]:
        """Say what is wrong now."""
        url = self._settings.storage_url
        if url is None:
            return []
        try:
            self._place = self._place or open_place(self._settings, url)
            store, prefix = self._place
            next(store.list_objects(prefix), None)
            return _compare_clocks(store, self._settings, self._clock)
        except StorageError as error:
            return [
                Trouble(
                    kind=TroubleKind.STORAGE,
                    text=f"the object storage cannot be listed ({type(error).__name__})",
                    detail=str(error),
                    fix="see that it runs, and that TONALOG_STORAGE_URL and the TONALOG_S3_* settings are right",
                )
            ]


def probe_clock_of_storage(settings: Settings, *, clock: Callable[[], float] = time.time) -> list[Trouble]:
    """Compare clocks with the storage; what else may be wrong with it is not told."""
    if settings.storage_url is None:
        return []
    with suppress(StorageError):
        return _compare_clocks(open_place(settings, settings.storage_url)[0], settings, clock)
    return []


def _compare_clocks(store: ObjectStore, settings: Settings, clock: Callable[[], float]) -> list[Trouble]:
    answered = read_server_clock(store)
    if answered is None:
        return []
    skew = _say_skew(clock, answered.timestamp, Limits.of(settings), where="the object storage's clock")
    return [] if skew is None else [skew]


def _say_skew(clock: Callable[[], float], other: Callable[[], float], limits: Limits, *, where: str) -> Trouble | None:
    before_s = clock()
    other_s = other()
    skew_s = (before_s + clock()) / 2 - other_s
    if abs(skew_s) <= limits.skew_s:
        return None
    return clock_trouble(
        f"this host is {say_span(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} {where}", limits
    )
