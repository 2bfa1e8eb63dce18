"""onnxruntime's quantisation tools, imported after its telemetry is off."""

from __future__ import annotations

import worker.scoring.onnx_runtime  # noqa: F401 - first: it switches the telemetry off

# isort: split
from onnxruntime.quantization import (  # noqa: TID251 - the one import of these tools
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: TID251

__all__ = [
    "CalibrationDataReader",
    "CalibrationMethod",
    "QuantFormat",
    "QuantType",
    "quant_pre_process",
    "quantize_dynamic",
    "quantize_static",
]
