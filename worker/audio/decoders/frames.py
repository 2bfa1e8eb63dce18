"""The samples of FFmpeg's frames, converted many frames at once: a call costs the same for 20 ms as for a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.plane import AudioPlane
from numpy.typing import NDArray

from worker.audio.decoders.interface import PIECE_SAMPLES, Block

GATHERED_SAMPLES, GATHERED_FRAMES = 32_768, 256
"""So much is joined; the second bounds what frames of a few samples hold beside them."""
DTYPES = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "s64": np.int64, "flt": np.float32, "dbl": np.float64}
FULL_SCALE = {"u8": 128.0, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63, "flt": 1.0, "dbl": 1.0}


class FrameJoiner:
    """Joins frames of one rate, format and number of channels, and converts them to float32."""

    def __init__(self) -> None:
        """Hold no frame yet."""
        self._frames: list[AudioFrame] = []
        self._kind = (0, 0, "")
        self._n_samples = 0

    def take(self, frame: AudioFrame) -> Iterator[Block]:
        """Take the next frame, and hand out what was held where that is enough or of another kind.

        Yields:
            Blocks of at most `PIECE_SAMPLES`.
        """
        kind = frame.sample_rate, frame.layout.nb_channels, frame.format.name
        if kind != self._kind or self._n_samples >= GATHERED_SAMPLES or len(self._frames) >= GATHERED_FRAMES:
            yield from self.flush()
            self._kind = kind
        self._frames.append(frame)
        self._n_samples += frame.samples

    def flush(self) -> Iterator[Block]:
        """Hand out what is held.

        Yields:
            Blocks of at most `PIECE_SAMPLES`.
        """
        frames, self._frames, self._n_samples = self._frames, [], 0
        if frames:
            rate_hz, n_channels, name = self._kind
            yield from _convert(frames, rate_hz=rate_hz, n_channels=n_channels, name=name)


def _convert(frames: list[AudioFrame], *, rate_hz: int, n_channels: int, name: str) -> Iterator[Block]:
    """Convert frames of one kind piece by piece.

    `to_ndarray` and `planes` are not used: of a planar frame with 8 channels they ask for a ninth, which is not there.
    """
    kind = name.removesuffix("p")
    if kind == name:
        block = _join(frames, 0, kind, n_channels).reshape(-1, n_channels)
    elif n_channels == 1:
        block = _join(frames, 0, kind, 1)[:, np.newaxis]
    else:
        block = np.stack([_join(frames, channel, kind, 1) for channel in range(n_channels)], axis=1)
    is_ours = len(frames) > 1 or (kind != name and n_channels > 1)  # else the memory is FFmpeg's
    for start in range(0, len(block), PIECE_SAMPLES):
        signal: NDArray[np.float32] = block[start : start + PIECE_SAMPLES].astype(np.float32, copy=not is_ours)
        if kind == "u8":
            signal -= np.float32(FULL_SCALE[kind])
        if FULL_SCALE[kind] != 1.0:
            signal *= np.float32(1 / FULL_SCALE[kind])
        yield Block(signal, rate_hz)


def _join(frames: list[AudioFrame], plane: int, kind: str, n_each: int) -> NDArray[np.generic]:
    """Return one plane of all frames; of a single frame as a view, since that may be large."""
    dtype = DTYPES[kind]
    views = [np.frombuffer(memoryview(AudioPlane(frame, plane)), dtype, frame.samples * n_each) for frame in frames]
    return views[0] if len(views) == 1 else np.concatenate(views)
