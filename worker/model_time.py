"""Tell the model's time from the recording's, also after the process that spent it has died.

What a graph is given has a fixed shape, so that time, memory and a crash inside it are the model's or the machine's
doing. A decoder is given what somebody uploaded.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LAYOUT = struct.Struct("dd")  # when the model's present turn began, 0 where it has none; seconds of its earlier turns


class ModelTime:
    """How long the model has worked on one attempt, in memory that is shared with forked processes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start at zero.

        Args:
            clock: gives seconds that only grow, the same in all processes, and never 0.
        """
        self._clock = clock
        self._memory = mmap.mmap(-1, _LAYOUT.size)

    @contextmanager
    def spend(self) -> Iterator[None]:
        """Count the block as the model's; one that ends with an error stays the model's, for whoever asks why."""
        _, before_s = self._read()
        began_s = self._clock()
        self._write(began_s, before_s)
        yield
        self._write(0.0, before_s + self._clock() - began_s)

    @property
    def is_running(self) -> bool:
        """Whether the model is at work, or was when the work ended with an error or a death."""
        return self._read()[0] > 0.0

    @property
    def total_s(self) -> float:
        """Seconds that the model has worked so far."""
        began_s, before_s = self._read()
        return before_s + (self._clock() - began_s if began_s > 0.0 else 0.0)

    def _read(self) -> tuple[float, float]:
        began_s, before_s = _LAYOUT.unpack_from(self._memory)
        return began_s, before_s

    def _write(self, began_s: float, before_s: float) -> None:
        _LAYOUT.pack_into(self._memory, 0, began_s, before_s)
