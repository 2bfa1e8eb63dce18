"""Graphs with a tensor outside their bytes, in every place where ONNX lets a tensor stand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tests.unit.bundles import OPSET

N_LABELS = 4
LOCAL = "tests.local"


def make_outside_tensor(location: str, name: str = "secret", **entries: str) -> TensorProto:
    """Four float32 values that lie at the beginning of another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1, N_LABELS], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "16", **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def _add_constant(tensor: TensorProto) -> NodeProto:
    return helper.make_node("Constant", [], ["secret"], value=tensor)


def _make_branch(tensor: TensorProto, output: str, *, is_initializer: bool) -> GraphProto:
    value = helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, N_LABELS])
    nodes = [] if is_initializer else [_add_constant(tensor)]
    nodes.append(helper.make_node("Identity", ["secret"], [output]))
    return helper.make_graph(nodes, output, [], [value], [tensor] if is_initializer else [])


def _make_if(tensor: TensorProto, *, is_initializer: bool) -> list[NodeProto]:
    branches = {
        f"{side}_branch": _make_branch(tensor, side, is_initializer=is_initializer) for side in ("then", "else")
    }
    return [
        helper.make_node("ReduceMax", ["squares"], ["highest"], keepdims=0),
        helper.make_node("Cast", ["highest"], ["is_loud"], to=TensorProto.BOOL),
        helper.make_node("If", ["is_loud"], ["logits"], **branches),
    ]


def _make_loop(tensor: TensorProto) -> list[NodeProto]:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["goes_on"]),
            _add_constant(tensor),
            helper.make_node("Identity", ["secret"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, N_LABELS]),
        ],
        [
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [1, N_LABELS]),
        ],
    )
    once = numpy_helper.from_array(np.array(1, dtype=np.int64))
    start = numpy_helper.from_array(np.zeros((1, N_LABELS), dtype=np.float32))
    return [
        helper.make_node("Constant", [], ["once"], value=once),
        helper.make_node("Constant", [], ["start"], value=start),
        helper.make_node("Loop", ["once", "", "start"], ["logits"], body=body),
    ]


def _make_sparse(tensor: TensorProto) -> onnx.SparseTensorProto:
    tensor.dims[:] = [N_LABELS]
    indices = numpy_helper.from_array(np.arange(N_LABELS, dtype=np.int64), "indices")
    return onnx.SparseTensorProto(values=tensor, indices=indices, dims=[1, N_LABELS])


def _in_constant(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    return [_add_constant(tensor), helper.make_node("Identity", ["secret"], ["logits"])]


def _in_initializer(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    model.graph.initializer.append(tensor)
    return [helper.make_node("Identity", ["secret"], ["logits"])]


def _in_branch(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    return _make_if(tensor, is_initializer=False)


def _in_branch_initializer(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    return _make_if(tensor, is_initializer=True)


def _in_loop(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    return _make_loop(tensor)


def _in_function(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    opset = [helper.make_opsetid("", OPSET)]
    model.functions.append(helper.make_function(LOCAL, "Leak", [], ["secret"], [_add_constant(tensor)], opset))
    model.opset_import.append(helper.make_opsetid(LOCAL, 1))
    return [helper.make_node("Leak", [], ["logits"], domain=LOCAL)]


def _in_default_of_function(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    constant = helper.make_node("Constant", [], ["secret"])
    constant.attribute.append(AttributeProto(name="value", type=AttributeProto.TENSOR, ref_attr_name="given"))
    given = helper.make_attribute("given", tensor)
    opset = [helper.make_opsetid("", OPSET)]
    function = helper.make_function(LOCAL, "Leak", [], ["secret"], [constant], opset, attribute_protos=[given])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid(LOCAL, 1))
    return [helper.make_node("Leak", [], ["logits"], domain=LOCAL)]


def _in_sparse_constant(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    node = helper.make_node("Constant", [], ["logits"], sparse_value=_make_sparse(tensor))
    return [node]


def _in_sparse_initializer(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    model.graph.sparse_initializer.append(_make_sparse(tensor))
    return [helper.make_node("Identity", ["secret"], ["logits"])]


def _in_filling(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    tensor.dims[:] = [1]
    tensor.external_data[2].value = "4"
    shape = numpy_helper.from_array(np.array([1, N_LABELS], dtype=np.int64), "shape")
    model.graph.initializer.append(shape)
    return [helper.make_node("ConstantOfShape", ["shape"], ["logits"], value=tensor)]


def _in_training(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    model.training_info.add().initialization.initializer.append(tensor)
    return [helper.make_node("MatMul", ["energy", "weights"], ["logits"])]


def _in_list(model: ModelProto, tensor: TensorProto) -> list[NodeProto]:
    node = helper.make_node("MatMul", ["energy", "weights"], ["logits"])
    node.attribute.append(AttributeProto(name="more", type=AttributeProto.TENSORS, tensors=[tensor]))
    return [node]


Placement = Callable[[ModelProto, TensorProto], list[NodeProto]]
PLACES: dict[str, Placement] = {
    "constant": _in_constant,
    "initializer": _in_initializer,
    "branch": _in_branch,
    "branch_initializer": _in_branch_initializer,
    "loop": _in_loop,
    "function": _in_function,
    "default_of_function": _in_default_of_function,
    "sparse_constant": _in_sparse_constant,
    "sparse_initializer": _in_sparse_initializer,
    "filling": _in_filling,
    "training": _in_training,
    "list": _in_list,
}
"""Where the tensor stands; each gives the nodes that make logits of it."""


def make_leaking_graph(place: str, tensor: TensorProto) -> ModelProto:
    """A bundle's graph whose scores are the softmax of a tensor that lies elsewhere."""
    graph = helper.make_graph(
        [],
        "leak",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", "n_samples"])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", N_LABELS])],
        [numpy_helper.from_array(np.ones((1, N_LABELS), dtype=np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    model.graph.node.extend(
        [
            helper.make_node("Mul", ["waveform", "waveform"], ["squares"]),
            helper.make_node("ReduceMean", ["squares"], ["energy"], axes=[1], keepdims=1),
            *PLACES[place](model, tensor),
            helper.make_node("Mul", ["energy", "weights"], ["spread"]),
            helper.make_node("Sub", ["spread", "spread"], ["nothing"]),
            helper.make_node("Add", ["logits", "nothing"], ["secret_logits"]),
            helper.make_node("Softmax", ["secret_logits"], ["probabilities"], axis=1),
        ]
    )
    return model
