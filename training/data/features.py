"""Compute and cache pooled encoder statistics, one file a copy; it trains nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.copies import Window
from training.data.files import write_arrays
from training.data.views import Source, find_view
from worker.scoring.onnx_runtime import ort

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Features:
    """Pooled statistics of the windows of one copy.

    Attributes:
        statistics: float32 (n_windows, 1024).
        speakers, kinds, names: str (n_windows,).
        n_samples: int64 (n_windows,), natural length of each window.
    """

    statistics: NDArray[np.float32]
    speakers: NDArray[np.str_]
    kinds: NDArray[np.str_]
    names: NDArray[np.str_]
    n_samples: NDArray[np.int64]


def load_features(folder: Path, name: str) -> Features:
    """Read one cached copy.

    Raises:
        FileNotFoundError: it was not computed yet.
    """
    with np.load(folder / f"{name}.npz") as held:
        return Features(*(held[key] for key in ("statistics", "speakers", "kinds", "names", "n_samples")))


def open_session(model: Path, *, threads: int) -> ort.InferenceSession:
    """Open a graph on the CPU with a fixed number of threads, one operator after another."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def compute_features(
    windows: Iterable[Window], session: ort.InferenceSession, *, on_window: Callable[[int], None] = lambda _: None
) -> Features:
    """Run every window through the encoder at its natural length.

    Args:
        windows: of one copy, one at least.
        session: of an encoder.
        on_window: told after each how many are done.
    """
    statistics: list[NDArray[np.float32]] = []
    rows: list[tuple[str, str, str, int]] = []
    for window in windows:
        statistics.append(session.run(None, {"waveform": window.signal[None]})[0][0])
        rows.append((window.speaker, window.kind, window.name, window.signal.size))
        on_window(len(rows))
    speakers, kinds, names, sizes = zip(*rows, strict=True)
    return Features(np.stack(statistics), np.array(speakers), np.array(kinds), np.array(names), np.array(sizes))


def cache_features(
    source: Source, name: str, model: Path, folder: Path, *, on_count: Callable[[int, int], None] = lambda *_: None
) -> None:
    """Write the statistics of one copy, unless they are there.

    Args:
        source: of windows.
        name: of the copy.
        model: graph from `waveform` to `statistics`.
        folder: for `<name>.npz`.
        on_count: told how many windows are done, and of how many.
    """
    target = folder / f"{name}.npz"
    if target.exists():
        return
    began = time.perf_counter()
    view = find_view(source, name)
    session = open_session(model, threads=1)
    features = compute_features(view.make(), session, on_window=lambda done: on_count(done, view.n_windows))
    write_arrays(target, vars(features))
    log.info("%s: %d windows in %.0f s", name, len(features.names), time.perf_counter() - began)
