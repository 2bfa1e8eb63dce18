"""Make jobs while a scan goes on, so that nobody's recording waits for all the others to be listed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from db import Engine, canary, jobs
from db.errors import ModelRetired
from db.model_readers import read_canary
from db.reasons import Lane
from scheduler.scan import Scanned

EVERY_S = 10.0


class JobMaker:
    """Makes the missing nightly jobs of one model, now and then while pages come, and at the end.

    The first time and the last it looks through all recordings, in between through those that came since: what a scan
    costs would else grow with the square of what it registers.

    Attributes:
        n_made: jobs, up to now.
    """

    def __init__(
        self, engine: Engine, model_id: int, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._model_id = model_id
        self._every_s = every_s
        self._clock = clock
        self._next_at_s = clock() + every_s
        self._done_to_id = 0
        self.n_made = 0

    def on_page(self, _: Scanned) -> None:
        """Make jobs if it is time."""
        if self._clock() >= self._next_at_s:
            self._make(after_id=self._done_to_id)

    def make(self) -> None:
        """Make all the jobs that are missing now."""
        self._make(after_id=0)

    def _make(self, *, after_id: int) -> None:
        last_id = jobs.last_recording_id(self._engine)
        self.n_made += jobs.create_jobs(self._engine, self._model_id, lane=Lane.NIGHTLY, after_id=after_id)
        self._done_to_id = last_id
        if not after_id:
            self._make_of_canary()
        self._next_at_s = self._clock() + self._every_s

    def _make_of_canary(self) -> None:
        """Have the canary's people scored twice; not counted, since a night waits for the active model's jobs."""
        found = read_canary(self._engine)
        if found is not None and found.model_id != self._model_id:
            with suppress(ModelRetired):  # by somebody, since it was read
                canary.make_jobs(self._engine, found, lane=Lane.NIGHTLY)
