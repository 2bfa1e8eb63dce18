"""From a float32 graph to one in static int8, by a backbone's scheme; it measures ranges and judges nothing.

Convolutions go through ONNX Runtime's own quantiser, because they are fast only where their outputs are quantised too.
Where matrix products alone are to be int8, `training.export.quantise` keeps the rest of the graph as it is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from training.backbones.base import Int8Scheme
from training.export.quantise import measure_ranges, quantise_static, save_model, store_half

Signal = NDArray[np.float32]
INPUT = "waveform"


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types here
    def __init__(self, windows: Sequence[Signal]) -> None:
        self._left = iter(windows)

    def get_next(self) -> dict[str, Signal] | None:
        window = next(self._left, None)
        return None if window is None else {INPUT: window[None]}


def quantise_graph(exact: Path, target: Path, *, scheme: Int8Scheme, calibration: Sequence[Signal]) -> Path:
    """Write the int8 copy of a float32 graph.

    Weights are symmetric, per channel and use 7 bits: processors without VNNI add two u8*s8 products in 16 bits, which
    8-bit weights overflow (ONNX Runtime, "Quantize ONNX models", note on reduce_range). So all give the same scores.

    Args:
        exact: float32 graph.
        target: file to write.
        scheme: which operators.
        calibration: windows, float32 (n_samples,) each, at their natural length, whose extremes become the ranges.

    Returns:
        target.

    Raises:
        ValueError: there is no calibration window.
    """
    if not calibration:
        raise ValueError("0 calibration windows, allowed are 1 and more")
    if "Conv" not in scheme.op_types:
        model = onnx.load(exact)
        return save_model(store_half(quantise_static(model, measure_ranges(model, calibration))), target)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        # Folds constants, so that every weight is one, and batch norms into the convolutions before them.
        quant_pre_process(exact, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(scheme.op_types),
            nodes_to_exclude=find_excluded(onnx.load(prepared), scheme),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            # Products of two activations (attention) stay float32: they have no weight to save.
            extra_options={"MatMulConstBOnly": True},
        )
    onnx.checker.check_model(str(target))
    return target


def find_excluded(model: Any, scheme: Int8Scheme) -> list[str]:
    """Return the names of nodes that a scheme keeps in float32.

    Raises:
        ValueError: a part of `keep_float` names no node, so that something would be quantised that must not be.
    """
    names = [node.name for node in model.graph.node if node.op_type in scheme.op_types]
    for part in scheme.keep_float:
        if not any(part in name for name in names):
            raise ValueError(f"keep_float {part!r} names no {scheme.op_types} node, allowed are parts of {names}")
    return [name for name in names if any(part in name for part in scheme.keep_float)]
