"""The forms that `benchmarks.engine` compares are one model: in float32 the shipped graph gives almost the same scores."""

from __future__ import annotations

import numpy as np
import onnx

from benchmarks.engine import multiply_out
from config.settings import SHIPPED_MODELS
from tests.unit.sounds import make_voice
from worker.scoring.bundle import load_bundle
from worker.scoring.onnx_runtime import ort


def test_the_float_form_of_the_shipped_graph_holds_no_int8_and_scores_almost_the_same() -> None:
    shipped = load_bundle(max(SHIPPED_MODELS.glob("*/manifest.json")).parent).model_bytes
    exact = multiply_out(shipped)
    window = make_voice(2.0)[None] * np.float32(0.5)

    int8, float32 = (
        ort.InferenceSession(one, providers=["CPUExecutionProvider"]).run(["probabilities"], {"waveform": window})[0]
        for one in (shipped, exact)
    )

    model = onnx.load_from_string(exact)
    assert not {node.op_type for node in model.graph.node} & {"QuantizeLinear", "DequantizeLinear"}
    assert onnx.TensorProto.INT8 not in {tensor.data_type for tensor in model.graph.initializer}
    np.testing.assert_allclose(int8, float32, rtol=0.0, atol=0.05)
