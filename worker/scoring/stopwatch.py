"""Add up where the time of scoring goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Seconds per stage, over as many recordings as it is handed to.

    Attributes:
        seconds: stage to seconds; scoring has the stages "decode", "vad", "model", "voice" and "rest", others come by `measure`.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        """Start at zero.

        Args:
            clock: gives seconds that only grow.
        """
        self.clock = clock
        self.seconds = {"decode": 0.0, "vad": 0.0, "model": 0.0, "voice": 0.0, "rest": 0.0}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to a stage."""
        start = self.clock()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + self.clock() - start
