"""The gate between float32 and int8: how far two graphs of one net lie apart, and how far they may; it writes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.bundle.graph_cost import PADDED_SAMPLES, measure_batch_effect
from training.data.features import open_session
from training.data.windows import WindowSet
from training.fitting.predict import measure_ua
from worker.scoring.onnx_runtime import ort


class ParityError(Exception):
    """A graph that scores too differently from the net it was made of; the message names the value and the limit."""


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
class Parity:
    """How far apart torch, float32 ONNX and int8 ONNX are, on windows padded to 8 s as serving pads them.

    Attributes:
        n_windows: compared.
        ua_float32, ua_int8: unweighted accuracies.
        same_label: share of windows with the same best label.
        max_probability_change, mean_probability_change: int8 against float32.
        max_torch_change: float32 ONNX against torch.
        batch_effect: largest change of a probability by a window's neighbours in its batch, int8.
        megabytes: of the int8 file.
    """

    n_windows: int
    ua_float32: float
    ua_int8: float
    same_label: float
    max_probability_change: float
    mean_probability_change: float
    max_torch_change: float
    batch_effect: float
    megabytes: float

    def as_dict(self) -> dict[str, Any]:
        """Return every figure, rounded, as JSON can hold it."""
        return {
            key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in asdict(self).items()
        }


def measure_parity(net: Any, exact: Path, small: Path, windows: WindowSet) -> Parity:
    """Compare a net, its float32 graph and its int8 graph.

    Args:
        net: torch module of waveform to probabilities and more, in evaluation mode on the CPU.
        exact: float32 graph.
        small: int8 graph.
        windows: labelled, none of them used for calibration.
    """
    sessions = [open_session(path, threads=1) for path in (exact, small)]
    rows: list[list[NDArray[np.float32]]] = []
    for index in range(len(windows)):
        window = windows.take_window(index)
        padded = np.pad(window, (0, max(0, PADDED_SAMPLES - window.size)))[None]
        with torch.inference_mode():
            rows.append([net(torch.from_numpy(padded))[0].numpy()[0], *(_run(one, padded) for one in sessions)])
    torch_scores, float_scores, int8_scores = np.array(rows, dtype=np.float64).transpose(1, 0, 2)
    change = np.abs(int8_scores - float_scores)
    return Parity(
        n_windows=len(windows),
        ua_float32=measure_ua(float_scores, windows.target),
        ua_int8=measure_ua(int8_scores, windows.target),
        same_label=float((int8_scores.argmax(axis=1) == float_scores.argmax(axis=1)).mean()),
        max_probability_change=float(change.max()),
        mean_probability_change=float(change.mean()),
        max_torch_change=float(np.abs(torch_scores - float_scores).max()),
        batch_effect=measure_batch_effect(sessions[1]),
        megabytes=small.stat().st_size / 1e6,
    )


def _run(session: ort.InferenceSession, padded: NDArray[np.float32]) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = session.run(["probabilities"], {"waveform": padded})[0][0]
    return scores


def check_parity(parity: Parity, gate: Gate) -> None:
    """Refuse an export that costs too much.

    Raises:
        ParityError: a figure is beyond the gate, or a window's score depends on its neighbours.
    """
    drop = parity.ua_float32 - parity.ua_int8
    failures = [
        (f"int8 loses {drop:.4f} UA", f"at most {gate.max_ua_drop}", drop > gate.max_ua_drop),
        (
            f"int8 leaves {parity.same_label:.4f} of the labels as they are",
            f"at least {gate.min_same_label}",
            parity.same_label < gate.min_same_label,
        ),
        (
            f"int8 changes a probability by {parity.max_probability_change:.4f}",
            f"at most {gate.max_probability_change}",
            parity.max_probability_change > gate.max_probability_change,
        ),
        (
            f"ONNX changes a probability by {parity.max_torch_change:.2e}",
            f"at most {gate.max_torch_change}",
            parity.max_torch_change > gate.max_torch_change,
        ),
        (f"a window's neighbours change it by {parity.batch_effect:.2e}", "exactly 0", parity.batch_effect > 0.0),
    ]
    failed = [f"{what}, allowed is {allowed}" for what, allowed, is_failed in failures if is_failed]
    if failed:
        raise ParityError(f"on {parity.n_windows} windows " + "; ".join(failed) + "; nothing was written")
