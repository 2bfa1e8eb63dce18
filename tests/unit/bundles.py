"""Tiny bundles built in code, so that no test needs a trained model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LABELS = ["anger", "happiness", "neutral", "sadness"]
OPSET = 17
PLENTY = 1e6
DIMENSIONS = {
    "arousal": {"output": "arousal", "low": 0.0, "high": 1.0},
    "valence": {"output": "valence", "low": -1.0, "high": 1.0},
}
WEIGHTS = {"arousal": [1.0, 1.0, 0.0, 0.0], "valence": [-1.0, 1.0, 0.0, -1.0]}


def make_manifest(model_bytes: bytes, **changes: Any) -> dict[str, Any]:
    """A manifest with every key, some changed."""
    manifest: dict[str, Any] = {
        "format": 1,
        "name": "tiny",
        "version": "0.0.1",
        "labels": LABELS,
        "sampling_rate_hz": 16000,
        "front_end": {"peak": 0.95, "pre_emphasis": None, "trim_top_db": None},
        "vad": {"mode": 3, "frame_ms": 30, "hangover_ms": 300, "pre_roll_ms": 90},
        "min_speech_ms": 500,
        "window": {"window_ms": 8000, "hop_ms": 8000, "min_tail_ms": 1000},
        "padding": "zeros_masked",
        "pooling": {"kind": "mean", "weight": "new_speech_ms"},
        "temperature": 0.3,
        "uncertain_below": 0.5,
        "speech_gate": None,
        "quantisation": {"kind": "none", "scheme": "float32"},
        "batch": 1,
        "opset": OPSET,
        "training": {"corpora": [], "git": "none", "seed": 0},
        "metrics": {},
        "licence": "Apache-2.0",
        "sha256": hashlib.sha256(model_bytes).hexdigest(),
    }
    return manifest | changes


def make_graph(
    *,
    n_labels: int = 4,
    constant: list[float] | None = None,
    gate: bool = False,
    input_name: str = "waveform",
    output_name: str = "probabilities",
    weights_of: Mapping[str, list[float]] | None = None,
) -> onnx.ModelProto:
    """A graph that scores by the mean square of the waveform, or always the same.

    With a gate, its output `speech` is 1 where the mean square of the prepared signal, without the zeros that fill its
    window, is under 0.2 and 0 over it, so that a loud tone (0.45 at peak 0.95) is no speech. `weights_of` adds outputs (batch,) that are weighted sums of the
    probabilities.
    """
    nodes = [
        helper.make_node("Mul", [input_name, input_name], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["energy"], axes=[1], keepdims=1),
    ]
    weights = np.linspace(-4.0, 4.0, n_labels, dtype=np.float32).reshape(1, n_labels)
    initializers = [numpy_helper.from_array(weights, "weights")]
    if constant is None:
        nodes += [
            helper.make_node("MatMul", ["energy", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], [output_name], axis=1),
        ]
    else:
        initializers += [
            numpy_helper.from_array(np.asarray([constant], dtype=np.float32), "constant"),
            numpy_helper.from_array(np.zeros((1, 1), dtype=np.float32), "nothing"),
        ]
        nodes += [
            helper.make_node("Mul", ["energy", "nothing"], ["zero"]),
            helper.make_node("Add", ["zero", "constant"], [output_name]),
        ]
    n_scores = n_labels if constant is None else len(constant)
    outputs = [helper.make_tensor_value_info(output_name, TensorProto.FLOAT, ["batch", n_scores])]
    if gate:
        initializers += [
            numpy_helper.from_array(np.asarray([0.2], dtype=np.float32), "loud"),
            numpy_helper.from_array(np.asarray([1], dtype=np.int64), "axis"),
        ]
        nodes += [
            helper.make_node("Sign", ["squares"], ["is_sound"]),
            helper.make_node("ReduceMean", ["is_sound"], ["share_of_sound"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["share_of_sound", "loud"], ["loud_if_padded"]),
            helper.make_node("Less", ["energy", "loud_if_padded"], ["is_quiet"]),
            helper.make_node("Cast", ["is_quiet"], ["speech_column"], to=TensorProto.FLOAT),
            helper.make_node("Squeeze", ["speech_column", "axis"], ["speech"]),
        ]
        outputs.append(helper.make_tensor_value_info("speech", TensorProto.FLOAT, ["batch"]))
    for name, sum_weights in (weights_of or {}).items():
        initializers.append(numpy_helper.from_array(np.asarray(sum_weights, dtype=np.float32), f"{name}_weights"))
        nodes.append(helper.make_node("MatMul", [output_name, f"{name}_weights"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch"]))
    inputs = [helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["batch", "n_samples"])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def write_bundle(folder: Path, graph: onnx.ModelProto | None = None, **changes: Any) -> Path:
    """Write a bundle folder; `changes` go into the manifest, None stays None."""
    folder.mkdir(parents=True, exist_ok=True)
    model_bytes = (graph if graph is not None else make_graph()).SerializeToString()
    (folder / "model.onnx").write_bytes(model_bytes)
    (folder / "MODEL_CARD.md").write_text("# tiny\n", encoding="utf-8")
    (folder / "manifest.json").write_text(json.dumps(make_manifest(model_bytes, **changes)), encoding="utf-8")
    return folder
