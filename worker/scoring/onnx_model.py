"""Read an ONNX model as messages of protobuf, without the package `onnx`, which brings 31 MB.

The bytes are parsed by protobuf, as in onnxruntime, which requires it: what one of the two reads, the other reads. Only
the fields that somebody here looks at are declared. All others are kept, and written again by `SerializeToString`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FLOAT, UINT8, INT8 = 1, 2, 3
"""Of TensorProto.DataType."""

_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {
        "opset_import": (8, "*Opset"),
        "graph": (7, "Graph"),
        "metadata_props": (14, "*Entry"),
        "training_info": (20, "*Training"),
        "functions": (25, "*Function"),
    },
    "Opset": {"domain": (1, "bytes"), "version": (2, "int64")},
    "Entry": {"key": (1, "bytes")},
    "Training": {"initialization": (1, "Graph"), "algorithm": (2, "Graph")},
    "Function": {
        "name": (1, "bytes"),
        "node": (7, "*Node"),
        "domain": (10, "bytes"),
        "attribute_proto": (11, "*Attribute"),
    },
    "Graph": {
        "node": (1, "*Node"),
        "initializer": (5, "*Tensor"),
        "output": (12, "*Value"),
        "sparse_initializer": (15, "*Sparse"),
    },
    "Value": {"name": (1, "bytes")},
    "Node": {
        "input": (1, "*bytes"),
        "output": (2, "*bytes"),
        "name": (3, "bytes"),
        "op_type": (4, "bytes"),
        "attribute": (5, "*Attribute"),
        "domain": (7, "bytes"),
    },
    "Attribute": {
        "name": (1, "bytes"),
        "i": (3, "int64"),
        "t": (5, "Tensor"),
        "g": (6, "Graph"),
        "tensors": (10, "*Tensor"),
        "graphs": (11, "*Graph"),
        "sparse_tensor": (22, "Sparse"),
        "sparse_tensors": (23, "*Sparse"),
    },
    "Sparse": {"values": (1, "Tensor"), "indices": (2, "Tensor")},
    "Tensor": {
        "dims": (1, "*int64"),
        "data_type": (2, "int32"),
        "int32_data": (5, "*int32"),
        "name": (8, "bytes"),
        "raw_data": (9, "bytes"),
        "external_data": (13, "*Entry"),
        "data_location": (14, "int32"),
    },
}
"""Of onnx.proto (proto2): message to field to number and type, * for several. `data_location` is an enum, an int32 too."""


def parse_model(model_bytes: bytes) -> Any:
    """Parse the bytes of model.onnx.

    Raises:
        DecodeError, RecursionError: they are no ONNX model, or nested too deeply.
    """
    model = _make_model_class()()
    model.ParseFromString(model_bytes)
    return model


def walk(message: Any) -> Iterator[Any]:
    """Give a message and all messages in it, at any depth; protobuf allows a hundred levels."""
    yield message
    fields = _FIELDS[message.DESCRIPTOR.name]
    for field, held in message.ListFields():
        if field.message_type is not None:
            for part in held if fields[field.name][1].startswith("*") else (held,):
                yield from walk(part)


@cache
def _make_model_class() -> Any:
    """Make the parser of a model from the fields above."""
    file = descriptor_pb2.FileDescriptorProto(name="tonalog/onnx.proto", package="tonalog.onnx", syntax="proto2")
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {"bytes": kinds.TYPE_BYTES, "int32": kinds.TYPE_INT32, "int64": kinds.TYPE_INT64}
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
