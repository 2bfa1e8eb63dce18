"""Find the stretches of speech in a streamed signal; never changes a sample of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields
from itertools import pairwise

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from worker.audio.gate import find_frames_near_voice
from worker.audio.quantiles import find_quantile
from worker.audio.voice_frames import VoiceFrames, describe_frames, join_frames
from worker.audio.voicing import FRAMES_AT_ONCE, FrameMeasures, measure_frames

SAMPLING_RATE_HZ = 16_000
SAMPLES_PER_MS = SAMPLING_RATE_HZ // 1000
PCM_BYTES = 2
MIN_SEGMENT_CAP_MS = 1000
TARGET_RMS = 0.1
MAX_GAIN = 100.0
"""Loud frames are brought to -20 dBFS, by at most 40 dB: at a tenth of its level WebRTC missed every second CREMA-D
clip (22 November 2026)."""
LOUD_QUANTILE = 0.98
"""Not the loudest frame: a tap on the microphone would set the gain."""
CONTEXT_FRAMES = 2
"""Frames on either side that the voicing measure of one frame looks at, rounded up."""


@dataclass(frozen=True)
class VadConfig:
    """What counts as speech.

    The first four are WebRTC's detector as measured for the default model (November 2026). The last three are the
    voicing gate: WebRTC passes loud noise, so speech is kept only within `voiced_reach_ms` of a voiced run.

    Attributes:
        mode: WebRTC aggressiveness, 0 to 3.
        frame_ms: 10, 20 or 30.
        hangover_ms: speech goes on this long after the last speech frame.
        pre_roll_ms: speech starts this long before the first speech frame.
        level_page_ms: WebRTC misses quiet speech, so it hears the signal louder. The gain is set for each page of this
            length from the loudest page so far; scores see the signal as it is. 0 turns the gain off.
        max_segment_ms: a longer segment is handed out in pieces, so that memory stays flat.
        min_periodicity: height of the pitch peak from which a frame is pitched, 0 to 1. Measured on 22 November 2026:
            at 0.18 every clip of EmoDB and CREMA-D that is not digital silence has a run of three such frames; 400 s
            each of white, pink, brown, blue, fan, wind and rain noise have none.
        min_voiced_ms: a steady run of pitched frames shorter than this is chance. 0 turns the gate off.
        voiced_reach_ms: sound farther than this from any voiced run of the same segment is rejected. Unvoiced
            stretches inside speech are far shorter.
    """

    mode: int = 3
    frame_ms: int = 30
    hangover_ms: int = 300
    pre_roll_ms: int = 90
    level_page_ms: int = 30_000
    max_segment_ms: int = 20_000
    min_periodicity: float = 0.18
    min_voiced_ms: int = 90
    voiced_reach_ms: int = 1000

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        if self.mode not in range(4):
            raise ValueError(f"vad mode is {self.mode}, allowed are 0 to 3")
        if self.frame_ms not in (10, 20, 30):
            raise ValueError(f"vad frame_ms is {self.frame_ms}, allowed are 10, 20 and 30")
        for name in (part.name for part in fields(self) if part.name.endswith("_ms")):
            if getattr(self, name) < 0:
                raise ValueError(f"vad {name} is {getattr(self, name)}, allowed are 0 and more")
        if self.max_segment_ms < MIN_SEGMENT_CAP_MS:
            raise ValueError(f"vad max_segment_ms is {self.max_segment_ms}, allowed are {MIN_SEGMENT_CAP_MS} and more")
        if not 0.0 <= self.min_periodicity <= 1.0:
            raise ValueError(f"vad min_periodicity is {self.min_periodicity}, allowed are 0 to 1")

    def count_frames(self, duration_ms: int) -> int:
        """Count the whole frames that last at least `duration_ms`."""
        return -(-duration_ms // self.frame_ms)


@dataclass(frozen=True)
class SpeechSegment:
    """A stretch of speech.

    Attributes:
        start_ms: on the clock of the original file, in it.
        end_ms: on the same clock, just after it.
        signal: float32 ((end_ms - start_ms) * 16,), 16 kHz, in [-1, 1].
        frames: what was measured of it, a frame each `frame_ms` from `start_ms` on; the last one may reach beyond `end_ms`.
    """

    start_ms: int
    end_ms: int
    signal: NDArray[np.float32]
    frames: VoiceFrames = field(default_factory=lambda: join_frames(()))


class SpeechDetector:
    """Finds speech in blocks of any size; the size of the blocks changes nothing.

    Attributes:
        n_samples: how many samples were fed.
        rejected_ms: how much WebRTC called speech and the voicing gate did not.
    """

    def __init__(self, config: VadConfig | None = None) -> None:
        """Start at the beginning of a recording."""
        self.config = config or VadConfig()
        self.n_samples = 0
        self.rejected_ms = 0
        self._vad = webrtcvad.Vad(self.config.mode)
        self._frame_samples = self.config.frame_ms * SAMPLES_PER_MS
        self._page_frames = max(1, self.config.level_page_ms // self.config.frame_ms)
        self._loudness = 0.0
        self._held: list[NDArray[np.float32]] = []
        self._n_held = 0
        self._n_frames = 0
        self._pre_roll: deque[NDArray[np.float32]] = deque(maxlen=self.config.count_frames(self.config.pre_roll_ms))
        self._run = _Run(self.config)

    def feed(self, block: NDArray[np.float32]) -> list[SpeechSegment]:
        """Take the next block and hand out the speech that is now certain.

        Args:
            block: float32 (n_samples,), 16 kHz mono, in [-1, 1].

        Returns:
            Segments in order of time; none overlaps another.
        """
        self.n_samples += len(block)
        self._held.append(block.astype(np.float32, copy=False))
        self._n_held += len(block)
        page_samples = self._page_frames * self._frame_samples
        segments: list[SpeechSegment] = []
        if self._n_held < page_samples:
            return segments
        held = np.concatenate(self._held)
        n_whole = len(held) - len(held) % page_samples
        self._held, self._n_held = [held[n_whole:].copy()], len(held) - n_whole
        for start in range(0, n_whole, page_samples):
            segments += self._take(held[start : start + page_samples].reshape(-1, self._frame_samples))
        return segments

    def flush(self) -> list[SpeechSegment]:
        """Take the end of the recording and hand out the speech that is left.

        The last partial frame is judged with zeros after it; the zeros are not part of any segment.

        Returns:
            Segments in order of time.
        """
        segments: list[SpeechSegment] = []
        if self._n_held:
            padding = np.zeros(-self._n_held % self._frame_samples, dtype=np.float32)
            padded = np.concatenate((*self._held, padding))
            self._held, self._n_held = [], 0
            segments += self._take(padded.reshape(-1, self._frame_samples))
        if self._run.frames:
            segments += self._hand_out(is_closed=True)
        return segments

    def _take(self, frames: NDArray[np.float32]) -> list[SpeechSegment]:
        """Judge a page of whole frames, float32 (n_frames, frame_samples)."""
        hangover = self.config.count_frames(self.config.hangover_ms)
        pcm, n_bytes = self._make_pcm(frames), PCM_BYTES * self._frame_samples
        segments: list[SpeechSegment] = []
        for at, frame in enumerate(frames):
            is_speech = bool(self._vad.is_speech(pcm[at * n_bytes : (at + 1) * n_bytes], SAMPLING_RATE_HZ))
            if not self._run.frames:
                if is_speech:
                    self._run.open(self._n_frames, [*self._pre_roll, frame])
                    self._pre_roll.clear()
                else:
                    self._pre_roll.append(frame)
            else:
                self._run.add(frame, is_speech=is_speech)
            self._n_frames += 1
            if self._run.frames and (self._run.n_unspoken >= hangover or self._run.is_full):
                segments += self._hand_out(is_closed=self._run.n_unspoken >= hangover)
        return segments

    def _make_pcm(self, frames: NDArray[np.float32]) -> bytes:
        """Make what WebRTC hears of a page, float32 (n_frames, frame_samples): 16-bit samples, louder by the gain."""
        scaled = frames * (32768.0 * self._set_gain(frames))
        np.rint(scaled, out=scaled)
        np.clip(scaled, -32768, 32767, out=scaled)
        return scaled.astype("<i2").tobytes()

    def _set_gain(self, frames: NDArray[np.float32]) -> float:
        """Say how much louder WebRTC is to hear a page, float32 (n_frames, frame_samples)."""
        if not self.config.level_page_ms:
            return 1.0
        powers = [
            np.mean(np.square(frames[start : start + FRAMES_AT_ONCE], dtype=np.float64), axis=1)
            for start in range(0, len(frames), FRAMES_AT_ONCE)
        ]
        self._loudness = max(self._loudness, find_quantile(np.sqrt(np.concatenate(powers)), LOUD_QUANTILE))
        return float(np.clip(TARGET_RMS / max(self._loudness, TARGET_RMS / MAX_GAIN), 1.0, MAX_GAIN))

    def _hand_out(self, *, is_closed: bool) -> list[SpeechSegment]:
        """Turn what the run has decided into segments, clipped to the recording."""
        duration_ms = self.n_samples // SAMPLES_PER_MS
        segments: list[SpeechSegment] = []
        for piece in self._run.decide(is_closed=is_closed):
            start_ms = piece.start * self.config.frame_ms
            end_ms = min(start_ms + len(piece.signals) * self.config.frame_ms, duration_ms)
            if end_ms <= start_ms:
                continue
            if piece.is_kept:
                signal = np.concatenate(piece.signals)[: (end_ms - start_ms) * SAMPLES_PER_MS]
                segments.append(SpeechSegment(start_ms, end_ms, signal, piece.frames))
            else:
                self.rejected_ms += end_ms - start_ms
        return segments


@dataclass(frozen=True, eq=False)
class _Piece:
    """Frames in a row that the voicing gate has judged alike, the first of which is frame `start` of the recording."""

    start: int
    signals: list[NDArray[np.float32]]
    frames: VoiceFrames
    is_kept: bool


class _Run:
    """Frames that WebRTC holds for one stretch of speech, until the voicing gate has judged them."""

    def __init__(self, config: VadConfig) -> None:
        self._config = config
        self._reach = config.count_frames(config.voiced_reach_ms)
        self._min_voiced = config.count_frames(config.min_voiced_ms)
        self._history = self._reach + self._min_voiced + CONTEXT_FRAMES
        self._max_frames = config.max_segment_ms // config.frame_ms
        self.frames: list[NDArray[np.float32]] = []
        self.n_unspoken = 0
        self._first = 0
        self._n_decided = 0

    @property
    def is_full(self) -> bool:
        """Whether a longest segment can be decided, the frames that its end depends on included."""
        return len(self.frames) - self._n_decided >= self._max_frames + self._history

    def open(self, frame_index: int, frames: list[NDArray[np.float32]]) -> None:
        """Start with pre-roll and the first speech frame, which is frame `frame_index` of the recording."""
        self.frames = frames
        self._first = frame_index - len(frames) + 1
        self._n_decided = 0
        self.n_unspoken = 0

    def add(self, frame: NDArray[np.float32], *, is_speech: bool) -> None:
        """Go on with the next frame."""
        self.frames.append(frame)
        self.n_unspoken = 0 if is_speech else self.n_unspoken + 1

    def decide(self, *, is_closed: bool) -> list[_Piece]:
        """Judge the frames that nothing to come can change, and forget those that nothing to come depends on.

        Returns:
            In order, each at most `max_segment_ms` long.
        """
        end = len(self.frames) if is_closed else self._n_decided + self._max_frames
        signal = np.concatenate(self.frames)
        frame_samples = len(self.frames[0])
        centres = np.arange(len(self.frames), dtype=np.int64) * frame_samples + frame_samples // 2
        found = measure_frames(signal, centres)
        measured = describe_frames(found)
        is_kept = self._judge(found)
        pieces: list[_Piece] = []
        start = self._n_decided
        changes = start + 1 + np.flatnonzero(is_kept[start + 1 : end] != is_kept[start : end - 1])
        for first, last in pairwise((start, *changes.tolist(), end)):
            for here in range(first, last, self._max_frames):
                at = slice(here, min(here + self._max_frames, last))
                pieces.append(_Piece(self._first + here, self.frames[at], measured[at], bool(is_kept[here])))
        n_forgotten = len(self.frames) if is_closed else max(0, end - self._history)
        self.frames = self.frames[n_forgotten:]
        self._first += n_forgotten
        self._n_decided = end - n_forgotten
        return pieces

    def _judge(self, found: FrameMeasures) -> NDArray[np.bool_]:
        """Say of each frame whether a voiced run is within reach, bool (n_frames,)."""
        if self._min_voiced == 0:
            return np.ones(len(found.clarity), dtype=np.bool_)
        return find_frames_near_voice(
            found,
            min_periodicity=self._config.min_periodicity,
            min_frames=self._min_voiced,
            reach=self._reach,
        )
