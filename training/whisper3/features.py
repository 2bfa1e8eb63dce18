"""Compute and cache pooled encoder statistics, one file a copy; it trains nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.backbones.whisper_base import FACTS
from training.corpora import HeardUtterance
from training.export.graph import export_onnx, make_waveform
from training.export.int8 import quantise_graph
from training.whisper3.calibration import take_calibration
from training.whisper3.copies import Window
from training.whisper3.encoder import load_encoder
from training.whisper3.files import write_arrays
from training.whisper3.shift import remove_shift
from training.whisper3.smoothing import smooth_encoder
from training.whisper3.views import Source, find_view
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


def build_encoder(weights: Path, utterances: tuple[HeardUtterance, ...], folder: Path) -> dict[str, Path]:
    """Export the encoder in float32 and in static int8, unless both are there already.

    The speech head is trained on what the int8 encoder says, so its rounding is nothing new to it.
    """
    paths = {name: folder / f"encoder-{name}.onnx" for name in ("float32", "int8")}
    if not all(path.exists() for path in paths.values()):
        partial = {name: path.with_suffix(".partial.onnx") for name, path in paths.items()}
        calibration = take_calibration(utterances)
        encoder = smooth_encoder(load_encoder(weights), calibration)
        export_onnx(encoder, partial["float32"], inputs="waveform", example=make_waveform(), outputs=("statistics",))
        quantise_graph(partial["float32"], partial["int8"], scheme=FACTS.int8, calibration=calibration)
        remove_shift(partial["float32"], partial["int8"], calibration)
        for name, path in paths.items():
            partial[name].replace(path)
    return paths
