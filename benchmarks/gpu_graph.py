"""Run an ONNX graph by torch, operator by operator, for a fixed batch; knows the operators of the shipped graph and needs nothing of Tonalog."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnx
import onnxruntime as ort  # noqa: TID251 - runs where Tonalog is not installed; its telemetry is off above
import torch
from onnx import numpy_helper
from torch.nn import functional

WINDOW_SAMPLES = 128_000
OUTPUTS = ("probabilities", "speech", "arousal", "valence")
LEAST_SIDE = 200
"""Weights with both sides shorter (spectrum, the last of the heads) stay in float32: half precision would cost them accuracy."""
PRODUCTS = frozenset({"MatMul", "Gemm"})
INDEXED = frozenset({"Slice", "Pad", "Reshape", "Split", "ReduceSum", "Gather", "Unsqueeze", "Squeeze"})


def flatten(path: Path, batch: int, *, is_rounded: bool) -> Any:
    """Return the graph for a fixed batch with float weights and all shapes folded; without rounding, no activation is quantised."""
    model = onnx.load(str(path))
    graph, renamed, kept = model.graph, {}, []
    held = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        if node.op_type == "DequantizeLinear" and node.input[0] in held:
            values, scale, zero = (numpy_helper.to_array(held[name]).astype(np.float32) for name in node.input)
            graph.initializer.append(numpy_helper.from_array((values - zero) * scale, node.output[0]))
        elif not is_rounded and node.op_type in {"QuantizeLinear", "DequantizeLinear"}:
            renamed[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    target = Path(os.environ.get("TMPDIR", "/tmp")) / f"flat-{os.getpid()}.onnx"  # noqa: S108 - removed below
    options = ort.SessionOptions()
    options.add_free_dimension_override_by_name("batch", batch)
    options.add_free_dimension_override_by_name("n_samples", WINDOW_SAMPLES)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath, options.log_severity_level = str(target), 4
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    try:
        return onnx.load(str(target))
    finally:
        target.unlink()


class TorchGraph:
    """A flattened graph, run by torch operator by operator."""

    def __init__(self, model: Any, *, device: str, is_half: bool) -> None:
        """Put the weights where they are needed; shapes and indices stay numbers of Python."""
        numbers = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        steps = []
        for node in model.graph.node:
            attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            if node.op_type == "Constant":
                numbers[node.output[0]] = numpy_helper.to_array(attributes["value"])
            else:
                steps.append((node.op_type, tuple(node.input), tuple(node.output), attributes))
        self._is_half = is_half
        floats = {name: one for name, one in numbers.items() if one.dtype.name in {"float32", "uint8", "int8"}}
        self._weights = {name: torch.from_numpy(one.copy()).to(device) for name, one in floats.items()}
        self._steps = [
            (
                kind,
                names,
                outputs,
                attributes,
                [numbers[name].tolist() if name in numbers and kind in INDEXED else None for name in names],
            )
            for kind, names, outputs, attributes in steps
        ]
        self._halves: dict[str, torch.Tensor] = {}
        for kind, names, *_ in steps:
            if (
                is_half
                and kind in PRODUCTS
                and names[1] in self._weights
                and max(self._weights[names[1]].shape) >= LEAST_SIDE
            ):
                self._halves[names[1]] = self._weights[names[1]].half()

    def __call__(self, waveform: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Score a batch: waveform float32 (batch, 128000)."""
        values: dict[str, torch.Tensor] = {**self._weights, "waveform": waveform}
        for kind, names, outputs, attributes, numbers in self._steps:
            if kind in PRODUCTS:
                found: Any = self._multiply(kind, names, attributes, values)
            elif kind in SIMPLE:
                found = SIMPLE[kind](*[values[name] for name in names])
            else:
                found = SHAPED[kind](values, names, numbers, attributes)
            values.update(zip(outputs, found if isinstance(found, tuple) else (found,), strict=True))
        return tuple(values[name] for name in OUTPUTS)

    def _multiply(
        self, kind: str, names: Any, attributes: Mapping[str, Any], values: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        left, right = values[names[0]], values[names[1]]
        is_attention = names[1] not in self._weights and left.shape[-2] > 1 and max(right.shape[-2:]) >= LEAST_SIDE
        is_half = names[1] in self._halves or (self._is_half and is_attention)
        if is_half:
            left, right = left.half(), self._halves[names[1]] if names[1] in self._halves else right.half()
        product = left @ (right.t() if attributes.get("transB") else right)
        product = product.float() if is_half else product
        return product + values[names[2]] if kind == "Gemm" and len(names) > 2 else product  # noqa: PLR2004


def _slice(values: Any, names: Sequence[str], numbers: list[Any], _attributes: Any) -> torch.Tensor:
    whole, (starts, ends, axes, steps) = values[names[0]], numbers[1:]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places = range(whole.shape[axis])[slice(start, end, step)]
        forward = places if step > 0 else places[::-1]
        index = [slice(None)] * whole.dim()
        index[axis] = slice(forward.start, forward.stop, forward.step)
        whole = whole[tuple(index)] if step > 0 else whole[tuple(index)].flip(axis)
    return whole


def _pad(values: Any, names: Sequence[str], numbers: list[Any], attributes: Any) -> torch.Tensor:
    whole, pads = values[names[0]], numbers[1]
    if attributes.get("mode", b"constant") != b"constant":
        raise ValueError(f"Pad has mode {attributes['mode']}, allowed is constant")
    half = len(pads) // 2
    flat = [pads[axis + half * is_end] for axis in reversed(range(half)) for is_end in (0, 1)]
    return functional.pad(whole, flat)


def _reshape(values: Any, names: Sequence[str], numbers: list[Any], _attributes: Any) -> torch.Tensor:
    whole = values[names[0]]
    shape = [whole.shape[place] if size == 0 else size for place, size in enumerate(numbers[1])]
    return whole.reshape(shape)


def _quantise(whole: torch.Tensor, scale: torch.Tensor, zero: torch.Tensor) -> torch.Tensor:
    return torch.clamp(torch.round(whole / scale) + zero.float(), 0, 255)


def _clip(values: Any, names: Sequence[str], _numbers: list[Any], _attributes: Any) -> torch.Tensor:
    low = values[names[1]] if len(names) > 1 and names[1] else None
    high = values[names[2]] if len(names) > 2 and names[2] else None  # noqa: PLR2004
    return torch.clamp(values[names[0]], low, high)


def _split(values: Any, names: Sequence[str], numbers: list[Any], attributes: Any) -> Any:
    return tuple(torch.split(values[names[0]], numbers[1], dim=attributes.get("axis", 0)))


def _normalise(values: Any, names: Sequence[str], _numbers: list[Any], attributes: Any) -> torch.Tensor:
    weight, bias = (values[name] for name in names[1:3])
    return functional.layer_norm(values[names[0]], weight.shape, weight, bias, attributes.get("epsilon", 1e-5))


def _reduce_max(values: Any, names: Sequence[str], _numbers: list[Any], attributes: Any) -> torch.Tensor:
    return torch.amax(values[names[0]], dim=tuple(attributes["axes"]), keepdim=bool(attributes.get("keepdims", 1)))


def _reduce_sum(values: Any, names: Sequence[str], numbers: list[Any], attributes: Any) -> torch.Tensor:
    return torch.sum(values[names[0]], dim=tuple(numbers[1]), keepdim=bool(attributes.get("keepdims", 1)))


def _gather(values: Any, names: Sequence[str], numbers: list[Any], attributes: Any) -> torch.Tensor:
    axis, index = attributes.get("axis", 0), numbers[1]
    return values[names[0]].select(axis, index)


def _unsqueeze(values: Any, names: Sequence[str], numbers: list[Any], _attributes: Any) -> torch.Tensor:
    whole = values[names[0]]
    for axis in sorted(numbers[1]):
        whole = whole.unsqueeze(axis)
    return whole


SIMPLE: dict[str, Callable[..., torch.Tensor]] = {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div, "Erf": torch.erf, "Abs": torch.abs,
    "Greater": torch.gt, "Less": torch.lt, "Log": torch.log, "Max": torch.maximum, "Sqrt": torch.sqrt,
    "QuantizeLinear": _quantise, "DequantizeLinear": lambda whole, scale, zero: (whole - zero.float()) * scale,
}  # fmt: skip
SHAPED: dict[str, Callable[..., Any]] = {
    "Slice": _slice, "Pad": _pad, "Reshape": _reshape, "Clip": _clip, "Split": _split, "LayerNormalization": _normalise,
    "ReduceMax": _reduce_max, "ReduceSum": _reduce_sum, "Gather": _gather, "Unsqueeze": _unsqueeze,
    "Squeeze": lambda values, names, numbers, _: values[names[0]].squeeze(numbers[1][0]),
    "Softmax": lambda values, names, _, attributes: torch.softmax(values[names[0]], attributes.get("axis", -1)),
    "Transpose": lambda values, names, _, attributes: values[names[0]].permute(*attributes["perm"]),
    "Concat": lambda values, names, _, attributes: torch.cat([values[name] for name in names], attributes["axis"]),
    "Cast": lambda values, names, _, __: values[names[0]].float(),
}  # fmt: skip
