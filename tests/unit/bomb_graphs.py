"""Graphs that score like any other until a window is full, and then do their harm: real ones, for onnxruntime to run.

A bundle's check runs the graph on a short tone, so none of them is noticed there.
"""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tests.unit.bundles import OPSET

N_LABELS = 4
_TAIL_STARTS = 126_400  # 100 ms before a window of 8 s is full; a shorter one is run short and has no tail
_FOREVER = 2**40
_MORE_THAN_THERE_IS = 2**46
_BOXES = 500_000  # each is compared with all before it, in one call of one operator


def _int(name: str, value: int) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value, dtype=np.int64)))


def _scale(name: str, factor: int) -> list[NodeProto]:
    """Nodes that make 1 of a window that is not full, and so many of one that is."""
    return [
        _int(f"{name}_factor", factor),
        _int(f"{name}_one", 1),
        helper.make_node("Mul", ["is_full_int", f"{name}_factor"], [f"{name}_more"]),
        helper.make_node("Add", [f"{name}_more", f"{name}_one"], [name]),
    ]


def _loop() -> list[NodeProto]:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            helper.make_node("Identity", ["before"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, []),
        ],
    )
    return [*_scale("trips", _FOREVER), helper.make_node("Loop", ["trips", "", "tail"], ["harm"], body=body)]


def _nan() -> list[NodeProto]:
    return [
        helper.make_node("Sub", ["is_full_float", "is_full_float"], ["naught"]),
        helper.make_node("Constant", [], ["unit"], value=numpy_helper.from_array(np.array(1, dtype=np.float32))),
        helper.make_node("Sub", ["unit", "is_full_float"], ["is_short_float"]),
        helper.make_node("Div", ["naught", "is_short_float"], ["harm"]),
    ]


def _crash() -> list[NodeProto]:
    """The least whole number by -1, which has no answer: the processor ends the process with SIGFPE."""
    return [
        _int("least", -(2**63)),
        *_scale("divisor", -2),
        helper.make_node("Div", ["least", "divisor"], ["quotient"]),
        helper.make_node("Cast", ["quotient"], ["harm"], to=TensorProto.FLOAT),
    ]


def _memory() -> list[NodeProto]:
    return [
        *_scale("size", _MORE_THAN_THERE_IS),
        _int("axis", 0),
        helper.make_node("Unsqueeze", ["size", "axis"], ["size_shape"]),
        helper.make_node("ConstantOfShape", ["size_shape"], ["huge"]),
        helper.make_node("ReduceMean", ["huge"], ["harm"], keepdims=0),
    ]


def _error() -> list[NodeProto]:
    """An index that is out of range, for which onnxruntime raises."""
    return [
        *_scale("index", 7),
        _int("back", 1),
        helper.make_node("Sub", ["index", "back"], ["place"]),
        helper.make_node("Unsqueeze", ["tail", "front"], ["tails"]),
        helper.make_node("Gather", ["tails", "place"], ["harm"]),
    ]


def _be_busy(value: str) -> list[NodeProto]:
    """Nodes that make `slow` of a number, one of them busy for minutes without a look at any flag."""
    sizes = {"boxes_shape": [1, _BOXES, 4], "scores_shape": [1, 1, _BOXES], "most": [_BOXES]}
    return [
        *(
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(numbers)))
            for name, numbers in sizes.items()
        ),
        helper.make_node("Expand", [value, "boxes_shape"], ["boxes"]),
        helper.make_node("Expand", [value, "scores_shape"], ["scores"]),
        helper.make_node("NonMaxSuppression", ["boxes", "scores", "most"], ["chosen"]),
        helper.make_node("ReduceMax", ["chosen"], ["last"], keepdims=0),
        helper.make_node("Cast", ["last"], ["slow"], to=TensorProto.FLOAT),
    ]


def _deaf() -> list[NodeProto]:
    value = helper.make_tensor_value_info
    busy = helper.make_graph(_be_busy("tail"), "busy", [], [value("slow", TensorProto.FLOAT, [])])
    idle = helper.make_graph(
        [helper.make_node("Identity", ["tail"], ["quick"])], "idle", [], [value("quick", TensorProto.FLOAT, [])]
    )
    return [helper.make_node("If", ["is_full"], ["harm"], then_branch=busy, else_branch=idle)]


def _build() -> list[NodeProto]:
    """What depends on no input is worked out by onnxruntime while it builds the session."""
    one = numpy_helper.from_array(np.array(1, dtype=np.float32))
    return [
        helper.make_node("Constant", [], ["unit"], value=one),
        *_be_busy("unit"),
        helper.make_node("Identity", ["slow"], ["harm"]),
    ]


_KINDS = {
    "loop": _loop,
    "nan": _nan,
    "crash": _crash,
    "memory": _memory,
    "error": _error,
    "deaf": _deaf,
    "build": _build,
}


def make_bomb(kind: str) -> ModelProto:
    """A bundle's graph that does its harm with a full window.

    `loop` goes on for ever, `deaf` too and inside one operator, `nan` gives scores that are none, `crash` ends its
    process, `memory` asks for more than there is, `error` makes onnxruntime raise. `build` is as `deaf`, and as soon as its session is built.
    """
    nodes: list[NodeProto] = [
        helper.make_node("Abs", ["waveform"], ["loudness"]),
        helper.make_node("Slice", ["loudness", "from", "to", "second"], ["tail_end"]),
        helper.make_node("Pad", ["tail_end", "one_zero"], ["end"]),
        helper.make_node("ReduceMax", ["end"], ["tail"], keepdims=0),
        helper.make_node("Cast", ["tail"], ["is_full"], to=TensorProto.BOOL),
        helper.make_node("Cast", ["is_full"], ["is_full_int"], to=TensorProto.INT64),
        helper.make_node("Cast", ["is_full"], ["is_full_float"], to=TensorProto.FLOAT),
        *_KINDS[kind](),
        helper.make_node("Mul", ["harm", "nothing"], ["none"]),
        helper.make_node("Add", ["weights", "none"], ["logits"]),
        helper.make_node("ReduceMean", ["waveform"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["per_window"]),
        helper.make_node("Add", ["logits", "per_window"], ["spread"]),
        helper.make_node("Softmax", ["spread"], ["probabilities"], axis=1),
    ]
    initializers = [
        numpy_helper.from_array(np.array([_TAIL_STARTS], dtype=np.int64), "from"),
        numpy_helper.from_array(np.array([0, 0, 0, 1], dtype=np.int64), "one_zero"),
        numpy_helper.from_array(np.array([2**31], dtype=np.int64), "to"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "second"),
        numpy_helper.from_array(np.array([0], dtype=np.int64), "front"),
        numpy_helper.from_array(np.array(0, dtype=np.float32), "nothing"),
        numpy_helper.from_array(np.linspace(-1, 1, N_LABELS, dtype=np.float32).reshape(1, N_LABELS), "weights"),
    ]
    graph: GraphProto = helper.make_graph(
        nodes,
        f"bomb_{kind}",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "n_samples"])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", N_LABELS])],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
