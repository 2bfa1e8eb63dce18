"""What a pool process builds once, lazily: engine, store clients, scorers; never before the fork."""

from __future__ import annotations

import os
import socket
from collections import OrderedDict
from dataclasses import dataclass, field

from config.settings import Settings
from db import Engine
from db.engine import make_engine
from db.rows import Model, Recording
from storage.open import open_bucket
from storage.protocol import ObjectStore
from worker.audio import decode
from worker.audio.decode import Limits
from worker.limits import limits_of
from worker.memory import return_free_memory
from worker.registered import find_bundle, warn_of_overflow
from worker.scoring.scorer import Scorer


@dataclass
class Runtime:
    """One process's connections and models, built from settings on first use."""

    settings: Settings
    _engine: Engine | None = None
    _stores: dict[tuple[str, str], ObjectStore] = field(default_factory=dict)
    _scorers: OrderedDict[int, Scorer] = field(default_factory=OrderedDict)

    @property
    def engine(self) -> Engine:
        """The process's own database engine; one connection is kept, and a heartbeat has one for a moment."""
        if self._engine is None:
            self._engine = make_engine(self.settings.database, n_pooled=1, n_passing=1)
        return self._engine

    def close_connections(self) -> None:
        """Close the connections to the database, as a process does before it forks; the next use opens one."""
        if self._engine is not None:
            self._engine.dispose()

    @property
    def worker_name(self) -> str:
        """Host and process id, as written into claims and attempts."""
        return worker_name(os.getpid())

    @property
    def limits(self) -> Limits:
        """What a recording may be at the most."""
        return limits_of(self.settings)

    def store_of(self, recording: Recording) -> ObjectStore:
        """Return the store that holds a recording."""
        place = (recording.store, recording.bucket)
        if place not in self._stores:
            self._stores[place] = open_bucket(self.settings, *place)
        return self._stores[place]

    def scorer_of(self, model: Model) -> Scorer:
        """Return a scorer of exactly this model; at most `models_in_memory` are held, the latest used.

        Raises:
            BundleError: No place holds the bundle, or any of its files is not the registered one.
            StorageError: Only the bundle store could hold it, and cannot be reached.
        """
        if model.id not in self._scorers:
            while len(self._scorers) >= self.settings.models_in_memory:
                self._scorers.popitem(last=False)  # before the next is built: its memory is needed for that
            bundle = find_bundle(self.settings, model)
            warn_of_overflow(bundle)
            self._scorers[model.id] = Scorer(bundle, threads=self.settings.scorer_threads)
            return_free_memory()  # that building it needed
        self._scorers.move_to_end(model.id)
        return self._scorers[model.id]


def worker_name(pid: int) -> str:
    """Return the name under which a process of this host claims jobs."""
    return f"{socket.gethostname()}:{pid}"


_configured: list[Runtime] = []


def configure(settings: Settings) -> None:
    """Set this process's runtime; called again in every pool process, so that nothing is shared."""
    _configured[:] = [Runtime(settings)]


def current() -> Runtime:
    """Return this process's runtime.

    Raises:
        LookupError: `configure` has not been called.
    """
    if not _configured:
        raise LookupError("worker.runtime.configure(settings) has not been called in this process")
    return _configured[0]


def preload() -> None:
    """Import the audio libraries in the parent, so that forked children share their memory."""
    decode.preload()
