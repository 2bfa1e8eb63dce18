"""Frames converted many at once give the samples of each by itself, whatever their format."""

from __future__ import annotations

import numpy as np
import pytest
from av.audio.frame import AudioFrame

from worker.audio.decoders.frames import GATHERED_FRAMES, GATHERED_SAMPLES, FrameJoiner
from worker.audio.decoders.interface import PIECE_SAMPLES, Block

FORMATS = {
    "u8": (np.uint8, 7),
    "s16": (np.int16, 15),
    "s32": (np.int32, 31),
    "flt": (np.float32, 0),
    "dbl": (np.float64, 0),
}
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def make_frame(kind: str, n_channels: int, n_samples: int, *, seed: int = 0, rate_hz: int = 48_000) -> AudioFrame:
    dtype, bits = FORMATS[kind.removesuffix("p")]
    signal = np.random.default_rng(seed).uniform(-1, 1, (n_channels, n_samples))
    if bits:
        signal = signal * (2.0**bits - 1) + (128 if dtype is np.uint8 else 0)
    if not kind.endswith("p"):
        signal = signal.T.reshape(1, -1)
    samples = np.ascontiguousarray(signal.astype(dtype))
    frame = AudioFrame.from_ndarray(samples, format=kind, layout=LAYOUTS[n_channels])
    frame.sample_rate = rate_hz
    return frame


def join(frames: list[AudioFrame]) -> list[Block]:
    joiner = FrameJoiner()
    return [block for frame in frames for block in joiner.take(frame)] + [*joiner.flush()]


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("kind", ["u8", "s16", "s16p", "s32", "s32p", "flt", "fltp", "dbl", "dblp"])
def test_frames_joined_are_the_frames_one_by_one(kind: str, n_channels: int) -> None:
    frames = [make_frame(kind, n_channels, 500 + at, seed=at) for at in range(7)]

    joined = np.concatenate([block.samples for block in join(frames)])
    alone = np.concatenate([block.samples for frame in frames for block in join([frame])])

    assert joined.dtype == np.float32
    assert joined.shape == (sum(frame.samples for frame in frames), n_channels)
    assert np.array_equal(joined, alone)
    assert 0.9 < np.abs(joined).max() <= 1.0


def test_another_rate_format_or_number_of_channels_begins_another_block() -> None:
    frames = [
        make_frame("fltp", 1, 100),
        make_frame("fltp", 2, 100),
        make_frame("s16", 2, 100),
        make_frame("s16", 2, 100, rate_hz=8_000),
    ]

    assert [block.kind for block in join(frames)] == [(48_000, 1), (48_000, 2), (48_000, 2), (8_000, 2)]


def test_no_more_is_held_than_is_said() -> None:
    joiner = FrameJoiner()
    lengths = [len(block.samples) for _ in range(200) for block in joiner.take(make_frame("fltp", 1, 960))]
    assert set(lengths) == {-(-GATHERED_SAMPLES // 960) * 960}

    joiner = FrameJoiner()
    lengths = [len(block.samples) for _ in range(3 * GATHERED_FRAMES) for block in joiner.take(make_frame("s16", 1, 1))]
    assert lengths == [GATHERED_FRAMES] * 2


def test_a_long_frame_comes_in_pieces_that_are_no_longer_ffmpegs_memory() -> None:
    frame = make_frame("flt", 1, 2 * PIECE_SAMPLES + 5)
    expected = np.frombuffer(bytes(frame.planes[0]), np.float32, frame.samples)[:, np.newaxis].copy()

    blocks = join([frame])
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))

    assert [len(block.samples) for block in blocks] == [PIECE_SAMPLES, PIECE_SAMPLES, 5]
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), expected)
