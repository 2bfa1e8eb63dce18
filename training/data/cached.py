"""What an encoder makes of the windows of one copy, cached in a folder: pooled statistics and, where asked, frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.copies import Window
from training.data.files import write_arrays

FRAMES_FILE, WINDOWS_FILE = "frames.npy", "windows.npz"
COLUMNS = ("statistics", "speakers", "kinds", "names", "n_samples")
# From a signal to its statistics, float32 (n_statistics,), and frames of a lower layer, float16 (n_frames, n_features), or None.
Encode = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float16] | None]]


@dataclass(frozen=True)
class Features:
    """Pooled statistics of the windows of one copy.

    Attributes:
        statistics: float32 (n_windows, n_statistics).
        speakers, kinds, names: str (n_windows,).
        n_samples: int64 (n_windows,), natural length of each window.
    """

    statistics: NDArray[np.float32]
    speakers: NDArray[np.str_]
    kinds: NDArray[np.str_]
    names: NDArray[np.str_]
    n_samples: NDArray[np.int64]


@dataclass(frozen=True)
class Frames:
    """Windows of one copy as frames of a lower layer.

    Attributes:
        values: float16 (n_frames of all windows, n_features), one window after another, mapped from disk.
        starts: int64 (n_windows + 1,), where each window's frames begin.
        windows: statistics of the untuned encoder, with names, kinds and speakers.
    """

    values: NDArray[np.float16]
    starts: NDArray[np.int64]
    windows: Features

    def take(self, row: int) -> NDArray[np.float16]:
        """Return the frames of one window, float16 (n_frames, n_features)."""
        return self.values[self.starts[row] : self.starts[row + 1]]


def cache_windows(
    windows: Iterable[Window], encode: Encode, folder: Path, *, on_window: Callable[[int], None] = lambda _: None
) -> None:
    """Write what an encoder makes of every window at its natural length.

    Args:
        windows: of one copy, at least one.
        encode: the encoder.
        folder: to write into.
        on_window: told after each how many are done.
    """
    frames, statistics, rows = [], [], []
    for window in windows:
        pooled, lower = encode(window.signal)
        statistics.append(pooled)
        frames += [] if lower is None else [lower]
        rows.append((window.speaker, window.kind, window.name, window.signal.size))
        on_window(len(rows))
    held = {name: np.array(column) for name, column in zip(COLUMNS[1:], zip(*rows, strict=True), strict=True)}
    held["statistics"] = np.stack(statistics)
    if frames:
        np.save(folder / FRAMES_FILE, np.concatenate(frames))
        held["starts"] = np.cumsum([0, *map(len, frames)])
    write_arrays(folder / WINDOWS_FILE, held)


def load_features(folder: Path) -> Features:
    """Read the statistics of a cached copy.

    Raises:
        FileNotFoundError: it was not cached.
    """
    with np.load(folder / WINDOWS_FILE) as held:
        return Features(*(held[name] for name in COLUMNS))


def load_frames(folder: Path) -> Frames:
    """Read a cached copy with its frames.

    Raises:
        FileNotFoundError: it was not cached.
    """
    with np.load(folder / WINDOWS_FILE) as held:
        starts = held["starts"]
    return Frames(np.load(folder / FRAMES_FILE, mmap_mode="r"), starts, load_features(folder))
