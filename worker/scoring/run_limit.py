"""Hold each run of a graph to the processor time that one window may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from worker.scoring.onnx_runtime import ort

RUN_LIMIT_S = 30.0
"""A window takes under 0.3 s with the shipped model, and its shape never depends on the recording."""
_LOOKS = 10  # within the limit


class RunLimit:
    """Ends a run of the graph that takes too long, from a thread of its own.

    It counts processor time, so that a busy machine or one that sleeps ends nothing. onnxruntime looks at the flag between
    two operators, so that a loop ends, and one operator that is busy by itself does not. The thread takes no lock, since
    a quarantined job forks beside it.

    Attributes:
        limit_s: of processor time, for one run.
        is_over: whether the last run was told to end.
    """

    def __init__(self, limit_s: float = RUN_LIMIT_S, clock: Callable[[], float] = time.process_time) -> None:
        """Start the thread.

        Args:
            limit_s: of processor time, for one run.
            clock: gives seconds that only grow.
        """
        self.limit_s = limit_s
        self.is_over = False
        self._clock = clock
        self._run: tuple[ort.RunOptions, float] | None = None
        self._is_closed = False
        threading.Thread(target=self._watch, name="run-limit", daemon=True).start()

    @contextmanager
    def hold(self) -> Iterator[ort.RunOptions]:
        """Give the options for one run, and watch over it until the block ends."""
        options = ort.RunOptions()
        options.log_severity_level = 4  # what goes wrong is raised; a log would quote names of the graph
        self.is_over = False
        self._run = (options, self._clock())
        try:
            yield options
        finally:
            self._run = None

    def close(self) -> None:
        """End the thread at its next look."""
        self._is_closed = True

    def _watch(self) -> None:
        while not self._is_closed:
            time.sleep(self.limit_s / _LOOKS)
            run = self._run
            if run is not None and self._clock() - run[1] > self.limit_s:
                self.is_over = True
                run[0].terminate = True
