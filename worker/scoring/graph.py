"""Look into an ONNX model before onnxruntime does, and refuse one that reaches outside its own bytes.

A tensor may say that its values are in another file, and onnxruntime then reads them from the working folder: bytes
that no hash covers would decide scores, and scores would tell what the file holds. It also has operators that load
compiled models or ask services. So every tensor and every node is looked at, wherever they may stand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from worker.scoring.bundle import BundleError
from worker.scoring.onnx_model import INT8, parse_model, walk

ALLOWED_DOMAINS = frozenset({b"", b"ai.onnx", b"com.microsoft"})
"""ONNX's own operators, and those that onnxruntime's optimiser puts in their place. None of them needs a file ..."""
REFUSED_OPERATORS = frozenset({b"EPContext"})
"""... except this one, which names a compiled model."""
CONFIG_KEY = "ort_config"
"""Metadata under which a model brings session options of its own, where the environment lets it."""
_SHOWN_BYTES = 80


def check_graph(model_bytes: bytes) -> None:
    """Refuse a model that takes anything from outside its bytes.

    Args:
        model_bytes: of model.onnx.

    Raises:
        BundleError: the bytes are no ONNX model (onnxruntime's own format is none), or nested too deeply; a tensor says
            that its values are elsewhere; a node is of an operator that may reach outside; the model brings session
            options.
    """
    try:
        model = parse_model(model_bytes)
    except (DecodeError, RecursionError) as error:
        raise BundleError(f"the graph is refused: it is no ONNX model, or nested too deeply ({error})") from error
    if not model.HasField("graph"):
        raise BundleError("the graph is refused: the file holds none, allowed is an ONNX model with a graph")
    if any(entry.key == CONFIG_KEY.encode() for entry in model.metadata_props):
        raise BundleError(f"the graph is refused: it brings session options ({CONFIG_KEY}), allowed are none")
    functions = {(function.domain, function.name) for function in model.functions}
    for message in walk(model):
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
    tensors = [
        one for one in walk(parse_model(model_bytes)) if one.DESCRIPTOR.name == "Tensor" and one.data_type == INT8
    ]
    values = [np.frombuffer(one.raw_data, dtype=np.int8).astype(np.int16) for one in tensors]
    values += [np.array(one.int32_data, dtype=np.int64) for one in tensors]
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


def _show(written: bytes) -> str:
    return repr(written[:_SHOWN_BYTES].decode(errors="backslashreplace"))


def _list(words: frozenset[bytes]) -> str:
    return ", ".join(map(_show, sorted(words)))
