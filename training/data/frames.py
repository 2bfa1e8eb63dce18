"""Frames after the encoder's first layer, cached one file a training copy; nothing below that layer is ever tuned."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.data.copies import Window
from training.data.features import Features
from training.data.files import write_arrays

log = logging.getLogger(__name__)
N_FIXED_LAYERS = 1


@dataclass(frozen=True)
class Frames:
    """Windows of one copy as frames after the first layer.

    Attributes:
        values: float16 (n_frames of all windows, 512), one window after another, mapped from disk.
        starts: int64 (n_windows + 1,), where each window's frames begin.
        windows: statistics of the untuned encoder, with names, kinds and speakers.
    """

    values: NDArray[np.float16]
    starts: NDArray[np.int64]
    windows: Features

    def take(self, row: int) -> NDArray[np.float16]:
        """Return the frames of one window, float16 (n_frames, 512)."""
        return self.values[self.starts[row] : self.starts[row + 1]]


def _hear(encoder: Any, signal: NDArray[np.float32]) -> tuple[Any, Any]:
    lower: list[Any] = []
    hook = encoder.layers[N_FIXED_LAYERS - 1].register_forward_hook(lambda _, __, out: lower.append(out))
    try:
        with torch.inference_mode():
            statistics = encoder(torch.from_numpy(signal)[None])
    finally:
        hook.remove()
    return lower[0][0], statistics[0]


def cache_frames(
    windows: Iterable[Window],
    encoder: Any,
    target: Path,
    *,
    on_window: Callable[[int], None] = lambda _: None,
) -> None:
    """Write frames and statistics of every window, unless they are there.

    Args:
        windows: of one copy.
        encoder: untuned, in evaluation mode.
        target: path without suffix; `.npy` holds frames, `.npz` the rest, and comes last.
        on_window: told after each how many are done.
    """
    if target.with_suffix(".npz").exists():
        return
    began = time.perf_counter()
    frames, statistics, rows = [], [], []
    for window in windows:
        lower, pooled = _hear(encoder, window.signal)
        frames.append(lower.numpy().astype(np.float16))
        statistics.append(pooled.numpy())
        rows.append((window.speaker, window.kind, window.name, window.signal.size))
        on_window(len(rows))
    columns = zip(("speakers", "kinds", "names", "n_samples"), zip(*rows, strict=True), strict=True)
    held = {name: np.array(column) for name, column in columns}
    np.save(target.with_suffix(".npy"), np.concatenate(frames))
    starts = np.cumsum([0, *map(len, frames)])
    write_arrays(target.with_suffix(".npz"), {"starts": starts, "statistics": np.stack(statistics), **held})
    log.info("%s: %d windows in %.0f s", target.name, len(rows), time.perf_counter() - began)


def load_frames(folder: Path, name: str) -> Frames:
    """Read one cached copy.

    Raises:
        FileNotFoundError: it was not computed yet.
    """
    with np.load(folder / f"{name}.npz") as held:
        windows = Features(*(held[key] for key in ("statistics", "speakers", "kinds", "names", "n_samples")))
        return Frames(np.load(folder / f"{name}.npy", mmap_mode="r"), held["starts"], windows)
