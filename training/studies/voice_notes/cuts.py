"""The ways of finding speech that are compared, and the windows each one leaves."""

from __future__ import annotations

from collections.abc import Sequence

import librosa
import numpy as np
from numpy.typing import NDArray

from training.studies.voice_notes.notes import SAMPLES_PER_MS, Span
from worker.audio.vad import SpeechDetector, SpeechSegment, VadConfig
from worker.audio.windows import Window, WindowConfig, WindowCutter

Signal = NDArray[np.float32]
MIN_SPEECH_MS = 500  # Serving scores nothing shorter.
MIN_TAIL_MS = 1000
ENERGY_TOP_DB = 20.0  # The paper's trim: both ends, never the gaps.
FINDERS = ("none", "energy", "webrtc0", "webrtc1", "webrtc2", "webrtc3", "ours", "oracle")


def find_speech(finder: str, signal: Signal, truth: Sequence[Span]) -> list[SpeechSegment]:
    """Find speech in one of the ways of `FINDERS`.

    Args:
        finder: `none` keeps everything, `energy` trims both ends at 20 dB, `webrtc0` to `webrtc3` are WebRTC with
            serving's hangover, pre-roll and level gain but no voicing gate, `ours` is serving's detector, `oracle`
            keeps true speech.
        signal: float32 (n_samples,), 16 kHz, a whole number of milliseconds.
        truth: the spans that the oracle keeps.

    Returns:
        Segments in order of time.

    Raises:
        ValueError: there is no such way.
    """
    if finder == "none":
        return [_slice(signal, 0, signal.size // SAMPLES_PER_MS)]
    if finder == "energy":
        _, (first, last) = librosa.effects.trim(signal, top_db=ENERGY_TOP_DB)
        return [_slice(signal, int(first) // SAMPLES_PER_MS, int(last) // SAMPLES_PER_MS)]
    if finder == "oracle":
        return [_slice(signal, span.start_ms, span.end_ms) for span in truth]
    if finder == "ours":
        return _detect(signal, VadConfig())
    if finder in FINDERS:
        return _detect(signal, VadConfig(mode=int(finder[-1]), min_voiced_ms=0))
    raise ValueError(f"way of finding speech is {finder!r}, allowed are {', '.join(FINDERS)}")


def cut_windows(segments: Sequence[SpeechSegment], window_ms: int) -> list[Window]:
    """Cut windows as serving does; less than half a second of speech gives none."""
    if sum(segment.end_ms - segment.start_ms for segment in segments) < MIN_SPEECH_MS:
        return []
    cutter = WindowCutter(WindowConfig(window_ms=window_ms, hop_ms=window_ms, min_tail_ms=MIN_TAIL_MS))
    windows = [window for segment in segments for window in cutter.feed(segment)]
    return [*windows, *cutter.flush()]


def measure_overlap(window: Window, spans: Sequence[tuple[int, int]]) -> int:
    """Return how many milliseconds of a window lie in the spans."""
    return sum(max(0, min(end, last) - max(start, first)) for start, end in window.spans for first, last in spans)


def _detect(signal: Signal, config: VadConfig) -> list[SpeechSegment]:
    detector = SpeechDetector(config)
    return detector.feed(signal) + detector.flush()


def _slice(signal: Signal, start_ms: int, end_ms: int) -> SpeechSegment:
    return SpeechSegment(start_ms, end_ms, signal[start_ms * SAMPLES_PER_MS : end_ms * SAMPLES_PER_MS])
