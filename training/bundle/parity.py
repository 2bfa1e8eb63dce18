"""What int8 changes: two graphs of one net on the same windows, as serving runs them, their cost, and how far they may lie apart."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.bundle.graph import WAVEFORM, open_session
from training.data.windows import WindowSet
from training.measures.metrics import measure_ua
from worker.scoring.onnx_runtime import ort

PADDED_SAMPLES = 128_000  # Serving pads to 8 s.
N_ROUNDS = 9
Scores = NDArray[np.float64]


class ParityError(Exception):
    """A graph that scores too differently from the net it was made of; the message names the value and the limit."""


@dataclass(frozen=True)
class Comparison:
    """How far apart the scores of two graphs of one net are.

    Attributes:
        n_windows: compared.
        ua_float32, ua_int8: unweighted accuracies.
        same_label: share of windows with the same best label.
        max_probability_change, median_probability_change: over windows, of any label of each.
    """

    n_windows: int
    ua_float32: float
    ua_int8: float
    same_label: float
    max_probability_change: float
    median_probability_change: float


@dataclass(frozen=True)
class Gate:
    """What an export may cost. A graph beyond any of it is not written.

    Attributes:
        max_ua_drop: unweighted accuracy that int8 may lose on the checked windows.
        min_same_label: share of windows whose label int8 must leave as it is.
        max_probability_change: of any label of any window, int8 against float32.
        max_torch_change: the same, float32 ONNX against torch.
    """

    max_ua_drop: float = 0.005
    min_same_label: float = 0.95
    max_probability_change: float = 0.15
    max_torch_change: float = 1e-3


@dataclass(frozen=True)
class Parity(Comparison):
    """How far apart torch, float32 ONNX and int8 ONNX are, on windows padded to 8 s as serving pads them.

    Attributes:
        max_torch_change: float32 ONNX against torch.
        batch_effect: largest change of an output by a window's neighbours in its batch, int8.
        megabytes: of the int8 file.
    """

    max_torch_change: float
    batch_effect: float
    megabytes: float

    def as_dict(self) -> dict[str, Any]:
        """Return every figure, rounded, as JSON can hold it."""
        return {
            key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in asdict(self).items()
        }


def compare_scores(exact: Scores, small: Scores, truth: NDArray[np.int64]) -> Comparison:
    """Compare probabilities, float64 (n_windows, n_labels), of a float32 graph and of its int8 copy."""
    change = np.abs(small - exact).max(axis=1)
    return Comparison(
        len(truth),
        measure_ua(exact, truth),
        measure_ua(small, truth),
        float((small.argmax(axis=1) == exact.argmax(axis=1)).mean()),
        float(change.max()),
        float(np.median(change)),
    )


def run_padded(
    session: ort.InferenceSession, windows: Iterable[NDArray[np.float32]], outputs: list[str]
) -> list[NDArray[Any]]:
    """Score windows as serving does, one at a time and zero-padded to 8 s; return one array an output."""
    rows = [session.run(outputs, {WAVEFORM: pad(window)}) for window in windows]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def pad(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a window of at most 8 s with zeros behind it, float32 (1, 128000)."""
    return np.pad(window, (0, max(0, PADDED_SAMPLES - window.size)))[None]


def measure_parity(net: Any, exact: Path, small: Path, windows: WindowSet) -> Parity:
    """Compare a net, its float32 graph and its int8 graph.

    Args:
        net: torch module of waveform to probabilities and more, in evaluation mode on the CPU.
        exact: float32 graph.
        small: int8 graph.
        windows: labelled, none of them used for calibration.
    """
    signals = [windows.take_window(index) for index in range(len(windows))]
    sessions = [open_session(path) for path in (exact, small)]
    exact_scores, small_scores = (
        run_padded(session, signals, ["probabilities"])[0].astype(np.float64) for session in sessions
    )
    with torch.inference_mode():
        scores = np.concatenate([net(torch.from_numpy(pad(signal)))[0].numpy() for signal in signals])
    return Parity(
        **asdict(compare_scores(exact_scores, small_scores, windows.target)),
        max_torch_change=float(np.abs(scores - exact_scores).max()),
        batch_effect=measure_batch_effect(sessions[1]),
        megabytes=small.stat().st_size / 1e6,
    )


def check_parity(parity: Parity, gate: Gate) -> None:
    """Refuse an export that costs too much.

    Raises:
        ParityError: a figure is beyond the gate, or a window's score depends on its neighbours.
    """
    drop = parity.ua_float32 - parity.ua_int8
    same, change, torch_change = parity.same_label, parity.max_probability_change, parity.max_torch_change
    failures = [
        (f"int8 loses {drop:.4f} UA", f"at most {gate.max_ua_drop}", drop > gate.max_ua_drop),
        (f"int8 leaves {same:.4f} of the labels", f"at least {gate.min_same_label}", same < gate.min_same_label),
        (
            f"int8 changes a probability by {change:.4f}",
            f"at most {gate.max_probability_change}",
            change > gate.max_probability_change,
        ),
        (
            f"ONNX changes a probability by {torch_change:.2e}",
            f"at most {gate.max_torch_change}",
            torch_change > gate.max_torch_change,
        ),
        (f"a window's neighbours change it by {parity.batch_effect:.2e}", "exactly 0", parity.batch_effect > 0.0),
    ]
    failed = [f"{what}, allowed is {allowed}" for what, allowed, is_failed in failures if is_failed]
    if failed:
        raise ParityError(f"on {parity.n_windows} windows " + "; ".join(failed) + "; nothing was written")


def measure_speed(sessions: Mapping[str, ort.InferenceSession]) -> dict[str, tuple[float, float]]:
    """Return median wall and CPU ms of one 8 s window, the sessions taking turns in one process."""
    rng = np.random.default_rng(0)
    feed = {WAVEFORM: rng.standard_normal((1, PADDED_SAMPLES)).astype(np.float32) * np.float32(0.1)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sessions}
    for _ in range(N_ROUNDS):
        for name, session in sessions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            session.run(None, feed)
            times[name].append(((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3))
    medians = {name: np.median(np.array(rows[1:]), axis=0).tolist() for name, rows in times.items()}
    return {name: (wall, cpu) for name, (wall, cpu) in medians.items()}


def measure_batch_effect(session: ort.InferenceSession) -> float:
    """Return the largest change of any output when windows of other lengths and loudness share the batch."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((6, PADDED_SAMPLES)).astype(np.float32)
    for row, (length, level) in enumerate(((128, 0.9), (16, 0.01), (40, 0.3), (64, 0.001), (8, 0.9), (100, 0.1))):
        batch[row] *= np.float32(level / 4)
        batch[row, length * 1000 :] = 0.0
    together = session.run(None, {WAVEFORM: batch})
    alone = [session.run(None, {WAVEFORM: row[None]}) for row in batch]
    apart = (np.concatenate([item[k] for item in alone]) for k in range(len(together)))
    return max(float(np.abs(a - b).max()) for a, b in zip(together, apart, strict=True))
