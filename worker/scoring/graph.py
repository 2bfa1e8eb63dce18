"""Look into an ONNX model before onnxruntime does, and refuse one that reaches outside its own bytes.

A tensor may say that its values are in another file, and onnxruntime then reads them from the working folder: bytes
that no hash covers would decide scores, and scores would tell what the file holds. It also has operators that load
compiled models or ask services. So every tensor and every node is looked at, wherever they may stand.

The bytes are parsed by protobuf, as in onnxruntime, which requires it: what one of the two reads, the other reads. Only
the fields that lead to tensors and nodes are declared here. The package `onnx` knows them all, and brings 31 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from worker.scoring.bundle import BundleError

ALLOWED_DOMAINS = frozenset({b"", b"ai.onnx", b"com.microsoft"})
"""ONNX's own operators, and those that onnxruntime's optimiser puts in their place. None of them needs a file ..."""
REFUSED_OPERATORS = frozenset({b"EPContext"})
"""... except this one, which names a compiled model."""
CONFIG_KEY = "ort_config"
"""Metadata under which a model brings session options of its own, where the environment lets it."""
_SHOWN_BYTES = 80
_INT8 = 3  # of TensorProto.DataType

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {
        "graph": (7, "Graph"),
        "metadata_props": (14, "*Entry"),
        "training_info": (20, "*Training"),
        "functions": (25, "*Function"),
    },
    "Entry": {"key": (1, "bytes")},
    "Training": {"initialization": (1, "Graph"), "algorithm": (2, "Graph")},
    "Function": {
        "name": (1, "bytes"),
        "node": (7, "*Node"),
        "domain": (10, "bytes"),
        "attribute_proto": (11, "*Attribute"),
    },
    "Graph": {"node": (1, "*Node"), "initializer": (5, "*Tensor"), "sparse_initializer": (15, "*Sparse")},
    "Node": {
        "name": (3, "bytes"),
        "op_type": (4, "bytes"),
        "attribute": (5, "*Attribute"),
        "domain": (7, "bytes"),
    },
    "Attribute": {
        "t": (5, "Tensor"),
        "g": (6, "Graph"),
        "tensors": (10, "*Tensor"),
        "graphs": (11, "*Graph"),
        "sparse_tensor": (22, "Sparse"),
        "sparse_tensors": (23, "*Sparse"),
    },
    "Sparse": {"values": (1, "Tensor"), "indices": (2, "Tensor")},
    "Tensor": {
        "data_type": (2, "int32"),
        "int32_data": (5, "*int32"),
        "name": (8, "bytes"),
        "raw_data": (9, "bytes"),
        "external_data": (13, "*Entry"),
        "data_location": (14, "int32"),
    },
}
"""Of onnx.proto (proto2): message to field to number and type, * for several. `data_location` is an enum, an int32 too."""


def check_graph(model_bytes: bytes) -> None:
    """Refuse a model that takes anything from outside its bytes.

    Args:
        model_bytes: of model.onnx.

    Raises:
        BundleError: the bytes are no ONNX model (onnxruntime's own format is none), or nested too deeply; a tensor says
            that its values are elsewhere; a node is of an operator that may reach outside; the model brings session
            options.
    """
    model: Any = _make_model_class()()
    try:
        model.ParseFromString(model_bytes)
    except (DecodeError, RecursionError) as error:
        raise BundleError(f"the graph is refused: it is no ONNX model, or nested too deeply ({error})") from error
    if not model.HasField("graph"):
        raise BundleError("the graph is refused: the file holds none, allowed is an ONNX model with a graph")
    if any(entry.key == CONFIG_KEY.encode() for entry in model.metadata_props):
        raise BundleError(f"the graph is refused: it brings session options ({CONFIG_KEY}), allowed are none")
    functions = {(function.domain, function.name) for function in model.functions}
    for message in _walk(model):
        kind = message.DESCRIPTOR.name
        if kind == "Tensor":
            _check_tensor(message)
        elif kind == "Node":
            _check_node(message, functions)


def find_largest_weight(model_bytes: bytes) -> int:
    """Return the largest absolute value of all int8 tensors of a model, 0 where it has none.

    Args:
        model_bytes: that `check_graph` accepts.
    """
    model: Any = _make_model_class()()
    model.ParseFromString(model_bytes)
    tensors = [one for one in _walk(model) if one.DESCRIPTOR.name == "Tensor" and one.data_type == _INT8]
    values = [np.frombuffer(one.raw_data, dtype=np.int8).astype(np.int16) for one in tensors]
    values += [np.array(one.int32_data, dtype=np.int16) for one in tensors]
    return max((int(np.abs(one).max(initial=0)) for one in values), default=0)


def _check_tensor(tensor: Any) -> None:
    if tensor.data_location or tensor.external_data:
        raise BundleError(
            f"the graph is refused: tensor {_show(tensor.name)} has its values outside the file, allowed are only tensors "
            "with their values inside"
        )


def _check_node(node: Any, functions: set[tuple[bytes, bytes]]) -> None:
    is_known = node.domain in ALLOWED_DOMAINS or (node.domain, node.op_type) in functions
    if not is_known or node.op_type in REFUSED_OPERATORS:
        raise BundleError(
            f"the graph is refused: node {_show(node.name)} is {_show(node.op_type)} of domain {_show(node.domain)}, "
            f"allowed are functions of the model and operators of {_list(ALLOWED_DOMAINS)} but {_list(REFUSED_OPERATORS)}"
        )


def _walk(message: Any) -> Iterator[Any]:
    """Give a message and all messages in it, at any depth; protobuf allows a hundred levels."""
    yield message
    fields = _FIELDS[message.DESCRIPTOR.name]
    for field, held in message.ListFields():
        if field.message_type is not None:
            for part in held if fields[field.name][1].startswith("*") else (held,):
                yield from _walk(part)


def _show(written: bytes) -> str:
    return repr(written[:_SHOWN_BYTES].decode(errors="backslashreplace"))


def _list(words: frozenset[bytes]) -> str:
    return ", ".join(map(_show, sorted(words)))


@cache
def _make_model_class() -> Any:
    """Make the parser of a model from the fields above."""
    file = descriptor_pb2.FileDescriptorProto(name="tonalog/onnx.proto", package="tonalog.onnx", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"bytes": kinds.TYPE_BYTES, "int32": kinds.TYPE_INT32}
    for message, fields in _FIELDS.items():
        declared = file.message_type.add(name=message)
        for field, (number, text) in fields.items():
            kind = text.removeprefix("*")
            one = declared.field.add(name=field, number=number)
            one.label = kinds.LABEL_OPTIONAL if kind == text else kinds.LABEL_REPEATED
            one.type = scalars.get(kind, kinds.TYPE_MESSAGE)
            if kind not in scalars:
                one.type_name = f".tonalog.onnx.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tonalog.onnx.Model"))
