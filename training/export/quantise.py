"""Static int8 of the encoder's matrix products, so that no window's score depends on another; convolutions stay float."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.corpora import HeardUtterance
from training.whisper3.copies import NOTE_COPIES, make_notes

MIN_WEIGHTS = 512 * 512  # Smaller products (the heads) stay float32: they are a sliver of the time.
FLOAT16_MIN_VALUES = 50_000  # Smaller tensors are not worth a Cast.
# Weights use 7 bits: processors without VNNI add two u8*s8 products in 16 bits, which 8-bit weights overflow
# (ONNX Runtime, "Quantize ONNX models", note on reduce_range). So every processor gives the same scores.
WEIGHT_MAX = 64
CALIBRATION_COPY = replace(NOTE_COPIES[1], notes_per_speaker=4)
SCHEME = "static QDQ U8S8 per output channel, 7-bit weights, encoder MatMul only"


def find_products(graph: Any) -> list[Any]:
    """Return the MatMul nodes whose second input is a constant of at least `MIN_WEIGHTS` values."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    return [n for n in graph.node if n.op_type == "MatMul" and sizes.get(n.input[1], 0) >= MIN_WEIGHTS]


def measure_ranges(model: Any, windows: Iterable[NDArray[np.float32]]) -> dict[str, tuple[float, float]]:
    """Measure the extremes of every product's input over windows.

    Clipping the outermost 0.01 % instead made held-out recall worse (-0.018 UA against -0.014, 22 November 2026).

    Args:
        model: float32 onnx model with input `waveform`.
        windows: float32 (n_samples,) each.

    Returns:
        (low, high) by tensor name, low <= 0 <= high.
    """
    names = sorted({node.input[0] for node in find_products(model.graph)})
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(probed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    extremes: dict[str, list[float]] = {name: [0.0] for name in names}
    for window in windows:
        for name, values in zip(names, session.run(names, {"waveform": window[None]}), strict=True):
            extremes[name] += [float(values.min()), float(values.max())]
    return {name: (min(found), max(found)) for name, found in extremes.items()}


def quantise_weight(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return int8 values and one scale an output column of float32 (n_in, n_out)."""
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / WEIGHT_MAX
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32)


def _add_activation(graph: Any, name: str, low: float, high: float) -> list[Any]:
    scale = max(high - low, 1e-6) / 255.0
    zero = int(np.clip(np.round(-low / scale), 0, 255))
    graph.initializer.append(numpy_helper.from_array(np.array(scale, dtype=np.float32), f"{name}_scale"))
    graph.initializer.append(numpy_helper.from_array(np.array(zero, dtype=np.uint8), f"{name}_zero"))
    parameters = [f"{name}_scale", f"{name}_zero"]
    return [
        helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}_u8"], name=f"{name}_quantise"),
        helper.make_node("DequantizeLinear", [f"{name}_u8", *parameters], [f"{name}_seen"], name=f"{name}_dequantise"),
    ]


def _add_weight(graph: Any, name: str) -> Any:
    tensor = next(t for t in graph.initializer if t.name == name)
    values, scale = quantise_weight(numpy_helper.to_array(tensor))
    graph.initializer.remove(tensor)
    zero = np.zeros(scale.shape, dtype=np.int8)
    for part, array in (("s8", values), ("scale", scale), ("zero", zero)):
        graph.initializer.append(numpy_helper.from_array(array, f"{name}_{part}"))
    inputs = [f"{name}_s8", f"{name}_scale", f"{name}_zero"]
    return helper.make_node("DequantizeLinear", inputs, [f"{name}_seen"], name=f"{name}_dequantise", axis=1)


def quantise_static(model: Any, ranges: dict[str, tuple[float, float]]) -> Any:
    """Return a copy of a float32 model with its encoder products in U8S8, per output channel.

    Args:
        model: float32 onnx model; not changed.
        ranges: of every product's input, as `measure_ranges` gives them.
    """
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    products = find_products(graph)
    nodes = {id(node): index for index, node in enumerate(graph.node)}
    positions = [nodes.get(id(node), -1) for node in products]
    before: dict[int, list[Any]] = {}
    seen: set[str] = set()
    for position, node in zip(positions, products, strict=True):
        activation, weight = node.input[0], node.input[1]
        added = [_add_weight(graph, weight)]
        if activation not in seen:
            added = _add_activation(graph, activation, *ranges[activation]) + added
            seen.add(activation)
        before[position] = added
        node.input[0], node.input[1] = f"{activation}_seen", f"{weight}_seen"
    ordered = [part for i, node in enumerate(graph.node) for part in (*before.get(i, []), node)]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(kept)
    return small


def store_half(model: Any) -> Any:
    """Return a copy whose large float32 constants are stored as float16 where that loses nothing.

    Whisper's published weights fit half precision exactly; ONNX Runtime widens them once, when it loads the graph.
    """
    small = onnx.ModelProto()
    small.CopyFrom(model)
    graph = small.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < FLOAT16_MIN_VALUES:
            continue
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(half, f"{tensor.name}_f16"))
        casts.append(helper.make_node("Cast", [f"{tensor.name}_f16"], [tensor.name], to=TensorProto.FLOAT))
    kept = [*casts, *graph.node]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(nodes)
    return small


def take_calibration(utterances: tuple[HeardUtterance, ...]) -> list[NDArray[np.float32]]:
    """Return joined training windows, four of every third speaker, to measure ranges on."""
    speakers = set(sorted({u.speaker for u in utterances})[::3])
    chosen = tuple(u for u in utterances if u.speaker in speakers)
    return [window.signal for window in make_notes(chosen, CALIBRATION_COPY)]


def save_model(model: Any, target: Path) -> Path:
    """Check a model and write it."""
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString())
    return target


def quantise_encoder(exact: Path, target: Path, calibration: list[NDArray[np.float32]]) -> Path:
    """Write the int8 copy of a float32 encoder, its ranges measured on calibration windows."""
    model = onnx.load(exact)
    return save_model(store_half(quantise_static(model, measure_ranges(model, calibration))), target)
