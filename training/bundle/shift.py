"""Take the mean error of rounding out of an int8 encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.bundle.int8 import INPUT
from worker.scoring.onnx_runtime import ort

OUTPUT = "statistics"


def remove_shift(exact: Path, small: Path, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Let an int8 encoder subtract what it says too much on average (bias correction, Nagel et al. 2019, section 4.2).

    The heads were tuned on float32 statistics, and a shift that all windows share moves them towards one label.

    Args:
        exact: float32 graph from `waveform` to `statistics`.
        small: its int8 copy, rewritten in place.
        windows: float32 (n_samples,) each, at least one.

    Returns:
        What is subtracted, float32 (n_statistics,).
    """
    means = []
    for path in (exact, small):
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        means.append(np.stack([session.run([OUTPUT], {INPUT: window[None]})[0][0] for window in windows]).mean(axis=0))
    shift = np.asarray(means[1] - means[0], dtype=np.float32)
    model = onnx.load(small)
    maker = next(node for node in model.graph.node if OUTPUT in node.output)
    raw, amount = f"{OUTPUT}_shifted", f"{OUTPUT}_shift"
    maker.output[list(maker.output).index(OUTPUT)] = raw
    model.graph.initializer.append(numpy_helper.from_array(shift[None], amount))
    model.graph.node.append(helper.make_node("Sub", [raw, amount], [OUTPUT], name=f"{OUTPUT}_unshift"))
    onnx.checker.check_model(model)
    small.write_bytes(model.SerializeToString())
    return shift
