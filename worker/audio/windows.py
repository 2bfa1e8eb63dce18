"""Cut the speech of a recording into windows of fixed length; never drops any of it and never invents silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.audio.vad import SAMPLES_PER_MS, SpeechSegment


@dataclass(frozen=True)
class WindowConfig:
    """How speech is cut.

    Attributes:
        window_ms: length of a whole window.
        hop_ms: from one window's start to the next, at most window_ms so that nothing falls between two.
        min_tail_ms: a last window at least this long is kept as it is.
    """

    window_ms: int = 8000
    hop_ms: int = 8000
    min_tail_ms: int = 1000

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        if self.window_ms < 1:
            raise ValueError(f"window_ms is {self.window_ms}, allowed are 1 and more")
        if not 1 <= self.hop_ms <= self.window_ms:
            raise ValueError(f"hop_ms is {self.hop_ms}, allowed are 1 to window_ms ({self.window_ms})")
        if not 0 <= self.min_tail_ms <= self.window_ms:
            raise ValueError(f"min_tail_ms is {self.min_tail_ms}, allowed are 0 to window_ms ({self.window_ms})")


@dataclass(frozen=True)
class Window:
    """What the scorer sees at once.

    Attributes:
        signal: float32 (speech_ms * 16,), 16 kHz, in [-1, 1]; shorter than a whole window only in the last one.
        spans: (start_ms, end_ms) pairs on the clock of the original file, half-open, in order: what it covers.
        speech_ms: how much speech it covers, the sum of its spans.
        new_speech_ms: how much of that no earlier window covers.
    """

    signal: NDArray[np.float32]
    spans: tuple[tuple[int, int], ...]
    speech_ms: int
    new_speech_ms: int

    @property
    def start_ms(self) -> int:
        """Where it starts on the clock of the original file."""
        return self.spans[0][0]

    @property
    def end_ms(self) -> int:
        """Just after its end on the clock of the original file."""
        return self.spans[-1][1]


class WindowCutter:
    """Joins segments and cuts windows out of them, holding at most about a window and a segment.

    Windows start every `hop_ms` of joined speech. At the end of the recording:

    - nothing left that no window covers: done;
    - a last window of at least `min_tail_ms`, or the only one: kept, shorter than the others;
    - a shorter one: moved back so that it covers the last `window_ms` of speech (or all of it, if there is less).
      It overlaps the window before it, and `new_speech_ms` says how little of it is new.
    """

    def __init__(self, config: WindowConfig | None = None) -> None:
        """Start at the beginning of a recording."""
        self.config = config or WindowConfig()
        self._signal = np.zeros(0, dtype=np.float32)
        self._spans: list[tuple[int, int]] = []
        self._held_from_ms = 0
        self._total_ms = 0
        self._next_ms = 0
        self._covered_ms = 0

    def feed(self, segment: SpeechSegment) -> list[Window]:
        """Join the next segment and hand out the windows that are now whole.

        Args:
            segment: later than every segment before it.

        Returns:
            Whole windows in order.
        """
        self._signal = np.concatenate((self._signal, segment.signal))
        self._spans.append((segment.start_ms, segment.end_ms))
        self._total_ms += segment.end_ms - segment.start_ms
        windows: list[Window] = []
        while self._total_ms >= self._next_ms + self.config.window_ms:
            windows.append(self._cut(self._next_ms, self._next_ms + self.config.window_ms))
            self._next_ms += self.config.hop_ms
        self._forget(min(self._next_ms, self._total_ms - self.config.window_ms))
        return windows

    def flush(self) -> list[Window]:
        """Hand out the window that the end of the recording leaves, by the rule above.

        Returns:
            One window or none.
        """
        if self._covered_ms == self._total_ms:
            return []
        is_long_enough = self._total_ms - self._next_ms >= self.config.min_tail_ms
        start_ms = self._next_ms if is_long_enough else max(0, self._total_ms - self.config.window_ms)
        return [self._cut(start_ms, self._total_ms)]

    def _cut(self, start_ms: int, end_ms: int) -> Window:
        """Cut [start_ms, end_ms) of the joined speech."""
        spans: list[tuple[int, int]] = []
        joined_ms = self._held_from_ms
        for span_start_ms, span_end_ms in self._spans:
            first_ms = span_start_ms + max(0, start_ms - joined_ms)
            last_ms = min(span_end_ms, span_start_ms + end_ms - joined_ms)
            joined_ms += span_end_ms - span_start_ms
            if first_ms >= last_ms:
                continue
            if spans and spans[-1][1] == first_ms:
                spans[-1] = (spans[-1][0], last_ms)
            else:
                spans.append((first_ms, last_ms))
        first = (start_ms - self._held_from_ms) * SAMPLES_PER_MS
        last = (end_ms - self._held_from_ms) * SAMPLES_PER_MS
        new_speech_ms = end_ms - max(start_ms, self._covered_ms)
        self._covered_ms = max(self._covered_ms, end_ms)
        return Window(self._signal[first:last].copy(), tuple(spans), end_ms - start_ms, new_speech_ms)

    def _forget(self, until_ms: int) -> None:
        """Drop the joined speech before `until_ms`, which no window to come can reach."""
        n_ms = until_ms - self._held_from_ms
        if n_ms <= 0:
            return
        self._signal = self._signal[n_ms * SAMPLES_PER_MS :].copy()
        self._held_from_ms = until_ms
        while n_ms > 0:
            start_ms, end_ms = self._spans.pop(0)
            if end_ms - start_ms > n_ms:
                self._spans.insert(0, (start_ms + n_ms, end_ms))
            n_ms -= min(n_ms, end_ms - start_ms)
