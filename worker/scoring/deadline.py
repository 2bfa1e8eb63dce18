"""Hold one kind of work to the time that it may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import process_time

from worker.audio.errors import AudioError, AudioReason


class Deadline:
    """Adds up what the decoding of one recording takes, and ends it when that is too much.

    By default it counts processor time, as the lease's watch over stuck jobs does: a busy machine must not fail an
    innocent recording.
    """

    def __init__(self, allowed_s: float, clock: Callable[[], float] = process_time) -> None:
        """Start at zero.

        Args:
            allowed_s: seconds that all of the work may take together.
            clock: gives seconds that only grow.
        """
        self._allowed_s = allowed_s
        self._clock = clock
        self._spent_s = 0.0

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Count the time that the block takes.

        Raises:
            AudioError: TIME_LIMIT, once all blocks together took longer than allowed.
        """
        start = self._clock()
        yield
        self._spent_s += self._clock() - start
        if self._spent_s > self._allowed_s:
            raise AudioError(
                AudioReason.TIME_LIMIT, f"decoding took {self._spent_s:.0f} s, allowed are {self._allowed_s} s"
            )
