"""Score one recording: decode, find speech, cut windows, score, pool, describe.

Everything is streamed, so that four hours need no more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from worker.audio.decode import Limits, iter_blocks
from worker.audio.vad import SAMPLES_PER_MS, SpeechDetector, SpeechSegment
from worker.audio.voice import SpeechFrames, VoiceMeter
from worker.audio.windows import Window, WindowCutter
from worker.scoring.deadline import Deadline
from worker.scoring.note import NoteScores, NoteStatus, ScoredSegment
from worker.scoring.pooling import WEIGHTS, name_label, pool_dimensions, pool_scores
from worker.scoring.scorer import Scorer
from worker.scoring.stopwatch import Stopwatch
from worker.scoring.trend import describe_trend


def score_recording(
    file: BinaryIO,
    scorer: Scorer,
    *,
    limits: Limits | None = None,
    on_progress: Callable[[int], None] | None = None,
    stopwatch: Stopwatch | None = None,
    deadline: Deadline | None = None,
    around_model: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> NoteScores:
    """Score one recording, the one way from bytes to scores.

    Args:
        file: seekable, the whole recording; it is not closed.
        scorer: the model.
        limits: what a recording may be at most.
        on_progress: told how many ms of the recording are decoded, after every window and every decoded block; what it
            raises ends the scoring.
        stopwatch: seconds per stage are added to it.
        deadline: what decoding may take; by default `limits.max_decode_s` of processor time.
        around_model: gives what is entered around each run of the model.

    Returns:
        The scores, or status no_speech if less than the manifest's `min_speech_ms` of speech is left.

    Raises:
        AudioError: the recording cannot be decoded, or not within `limits.max_decode_s` (TIME_LIMIT).
        ScoringError: the model gave scores that are no probabilities, or a dimension outside its range.
        BundleError: the model's graph took too long, found no memory or failed.
    """
    allowed = limits or Limits()
    watch = stopwatch or Stopwatch()
    tally = _Tally(scorer, watch, on_progress or (lambda _processed_ms: None), around_model)
    timed_before = sum(watch.seconds.values())
    start = watch.clock()
    for block in _decode(file, allowed, watch, deadline or Deadline(allowed.max_decode_s)):
        with watch.measure("vad"):
            segments = tally.detector.feed(block)
        tally.take(segments)
        tally.report()
    with watch.measure("vad"):
        segments = tally.detector.flush()
    tally.take(segments)
    note = tally.finish()
    watch.seconds["rest"] += watch.clock() - start - (sum(watch.seconds.values()) - timed_before)
    return note


def _decode(file: BinaryIO, limits: Limits, watch: Stopwatch, deadline: Deadline) -> Iterator[NDArray[np.float32]]:
    """Decode block by block, within the time that decoding may take."""
    with closing(iter_blocks(file, limits=limits)) as blocks:
        while True:
            with watch.measure("decode"), deadline.spend():
                block = next(blocks, None)
            if block is None:
                return
            yield block


class _Tally:
    """What is known of the recording so far."""

    def __init__(
        self,
        scorer: Scorer,
        watch: Stopwatch,
        on_progress: Callable[[int], None],
        around_model: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._scorer = scorer
        self._manifest = scorer.bundle.manifest
        self._watch = watch
        self._on_progress = on_progress
        self._around_model = around_model
        self.detector = SpeechDetector(self._manifest.vad)
        self._cutter = WindowCutter(self._manifest.window)
        self._frames = SpeechFrames(self._manifest.vad.frame_ms)
        self._voice = VoiceMeter(self._manifest.vad.frame_ms)
        self._segments: list[ScoredSegment] = []
        self._weights: list[float] = []
        self._new_speech_ms: list[int] = []
        self._speech_ms = 0
        self._gated_ms = 0

    def take(self, segments: list[SpeechSegment]) -> None:
        """Score the windows that the segments complete."""
        for segment in segments:
            self._frames.put(segment)
            for window in self._cutter.feed(segment):
                self._score(window)

    def report(self) -> None:
        """Say how far the recording is decoded."""
        self._on_progress(self.detector.n_samples // SAMPLES_PER_MS)

    def finish(self) -> NoteScores:
        """Score what is left and make the note."""
        for window in self._cutter.flush():
            if self._segments or self._gated_ms or window.speech_ms >= self._manifest.min_speech_ms:
                self._score(window)
            else:
                self._speech_ms += window.new_speech_ms
        has_enough = bool(self._segments) and self._speech_ms >= self._manifest.min_speech_ms
        return self._describe() if has_enough else self._without_scores()

    def _score(self, window: Window) -> None:
        with self._watch.measure("model"), self._around_model():
            result = self._scorer.score(window.signal)
        self.report()
        frames = self._frames.take(window.end_ms)
        gate = self._manifest.speech_gate
        if gate is not None and result.speech_probability is not None and result.speech_probability < gate.threshold:
            self._gated_ms += window.new_speech_ms
            self._voice.skip()
            return
        with self._watch.measure("voice"):
            for start_ms, some in frames:
                self._voice.add(start_ms, some)
        scores = dict(zip(self._manifest.labels, result.scores, strict=True))
        said = ScoredSegment(window.start_ms, window.end_ms, window.speech_ms, scores, result.dimensions)
        self._segments.append(said)
        self._new_speech_ms.append(window.new_speech_ms)
        self._weights.append(WEIGHTS[self._manifest.pooling.weight](window))
        self._speech_ms += window.new_speech_ms

    def _describe(self) -> NoteScores:
        kind = self._manifest.pooling.kind
        scores = pool_scores([segment.scores for segment in self._segments], self._weights, kind=kind)
        dimensions = [segment.dimensions for segment in self._segments]
        label, confidence, is_uncertain = name_label(scores, self._manifest.uncertain_below)
        return replace(
            self._without_scores(),
            status=NoteStatus.SCORED,
            n_windows=len(self._segments),
            label=label,
            confidence=confidence,
            is_uncertain=is_uncertain,
            scores=scores,
            dimensions=pool_dimensions(dimensions, self._weights, kind=kind),
            segments=tuple(self._segments),
            trend=describe_trend(self._segments, self._new_speech_ms),
            voice=self._voice.finish(duration_ms=self.detector.n_samples // SAMPLES_PER_MS),
        )

    def _without_scores(self) -> NoteScores:
        return NoteScores(
            status=NoteStatus.NO_SPEECH,
            duration_ms=self.detector.n_samples // SAMPLES_PER_MS,
            speech_ms=self._speech_ms,
            rejected_ms=self.detector.rejected_ms + self._gated_ms,
            n_windows=0,
            label=None,
            confidence=None,
            is_uncertain=None,
            scores={},
            dimensions={},
            segments=(),
            trend={},
        )
