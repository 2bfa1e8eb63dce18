"""Write a graph's int8 products in a quicker form of the same arithmetic before a session is built of it.

onnxruntime makes one operator of a product and its DequantizeLinear nodes, and leaves the bias that follows to one more pass
over the result; its own operator adds it in the same one. And where frames are laid side by side for a convolution, they are
rounded to 8 bits after they were copied, up to three times each; rounded before, there is a quarter to copy. Neither
changes a bit of any score on x86: the same numbers are rounded, multiplied and added in the same order.

What does not look exactly like that stays as it is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from worker.scoring.onnx_model import FLOAT, INT8, UINT8, parse_model, walk

CONTRIBUTED = b"com.microsoft"
PRODUCT = b"MatMulIntegerToFloat"
COPIES = frozenset({b"Concat", b"Slice", b"Reshape", b"Pad"})
"""Operators that only copy values, so that rounding may come before them."""
_PAD_VALUE, _N_PAD_INPUTS = 2, 3  # place of a Pad's value among its inputs, and how many there then are
_MATRIX, _LAST_AXES = 2, frozenset({1, -1})
_N_PRODUCT_INPUTS = 2
_N_QUANTISED = 3  # tensor, scale and zero point


def fuse(model_bytes: bytes) -> bytes:
    """Return the model with what can be fused, or the very same bytes where there is nothing.

    Args:
        model_bytes: that `check_graph` accepts.
    """
    model = parse_model(model_bytes)
    if model.functions or any(
        one.DESCRIPTOR.name == "Attribute" and (one.HasField("g") or one.graphs) for one in walk(model)
    ):
        return model_bytes  # a graph inside may read any name of the one around it
    graph = _Graph.of(model.graph)
    n_changed = _fuse_biases(graph) + _round_early(graph)
    if not n_changed:
        return model_bytes
    nodes = graph.list_needed()
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    if all(one.domain != CONTRIBUTED for one in model.opset_import):
        model.opset_import.add(domain=CONTRIBUTED, version=1)
    changed: bytes = model.SerializeToString()
    return changed


@dataclass
class _Graph:
    """A graph by its names.

    Attributes:
        nodes: in order; one place may hold several after a change.
        places: output to the place of its node.
        tensors: initializers by name.
        n_readers: of every name, outputs of the graph included.
    """

    nodes: list[list[Any]]
    places: dict[bytes, int]
    tensors: dict[bytes, Any]
    n_readers: Counter[bytes]
    outputs: frozenset[bytes]
    make: Any

    @classmethod
    def of(cls, graph: Any) -> _Graph:
        nodes = list(graph.node)
        outputs = frozenset(one.name for one in graph.output)
        return cls(
            [[node] for node in nodes],
            {name: place for place, node in enumerate(nodes) for name in node.output},
            {tensor.name: tensor for tensor in graph.initializer},
            Counter([*outputs, *(name for node in nodes for name in node.input)]),
            outputs,
            type(nodes[0]) if nodes else None,
        )

    def find_maker(self, name: bytes, operator: bytes) -> Any | None:
        """Return the node that gives a name, as long as it is of ONNX's own operator and stood there from the beginning."""
        node = self.nodes[self.places[name]][0] if name in self.places else None
        return node if node is not None and node.op_type == operator and not node.domain else None

    def list_needed(self) -> list[Any]:
        """Return the nodes whose outputs somebody reads, in order."""
        needed, kept = set(self.outputs), []
        for node in reversed([node for held in self.nodes for node in held]):
            if any(name in needed for name in node.output):
                needed.update(node.input)
                kept.append(node)
        return kept[::-1]


def _fuse_biases(graph: _Graph) -> int:
    """Put each int8 product that a bias is added to into one node, in the place of the sum."""
    n_fused = 0
    for place, (node,) in enumerate(list(graph.nodes)):
        if node.op_type != b"Add" or node.domain or len(node.input) != _N_PRODUCT_INPUTS:
            continue
        for result, bias in (node.input, node.input[::-1]):
            inputs = _find_product(graph, result, bias)
            if inputs:
                fused = graph.make(
                    op_type=PRODUCT, domain=CONTRIBUTED, name=node.name, input=inputs, output=node.output
                )
                graph.nodes[place] = [fused]
                n_fused += 1
                break
    return n_fused


def _find_product(graph: _Graph, result: bytes, bias: bytes) -> list[bytes] | None:
    """Return the inputs of the fused node where a name is an int8 product that nobody else reads, and the other its bias."""
    product = graph.find_maker(result, b"MatMul")
    if product is None or graph.n_readers[result] != 1 or len(product.input) != _N_PRODUCT_INPUTS:
        return None
    left, right = (graph.find_maker(name, b"DequantizeLinear") for name in product.input)
    if left is None or right is None or len(left.input) != _N_QUANTISED or len(right.input) != _N_QUANTISED:
        return None
    activation, weight, added = (
        graph.tensors.get(left.input[2]),
        graph.tensors.get(right.input[0]),
        graph.tensors.get(bias),
    )
    is_static = all(name in graph.tensors for name in (left.input[1], *right.input[1:]))
    if activation is None or weight is None or added is None or not is_static:
        return None
    scale = graph.tensors[right.input[1]]
    n_columns = list(weight.dims)[-1:]
    is_matrix = weight.data_type == INT8 and len(weight.dims) == _MATRIX
    is_scaled = list(scale.dims) in ([], n_columns) and _is_along_columns(right)
    is_one_range = activation.data_type == UINT8 and not activation.dims and not graph.tensors[left.input[1]].dims
    is_bias = added.data_type == FLOAT and list(added.dims) == n_columns
    if not (is_matrix and is_scaled and is_one_range and is_bias):
        return None
    scales, zeros = ((left.input[index], right.input[index]) for index in (1, 2))
    return [left.input[0], right.input[0], *scales, *zeros, bias]


def _is_along_columns(dequantise: Any) -> bool:
    return all(one.name == b"axis" and one.i in _LAST_AXES for one in dequantise.attribute)


def _round_early(graph: _Graph) -> int:
    """Put each rounding of frames that were laid side by side before the copies, where all of them are of one tensor."""
    n_moved = 0
    for place, held in enumerate(list(graph.nodes)):
        node = held[0]
        if node.op_type != b"QuantizeLinear" or node.domain or len(node.input) != _N_QUANTISED or node.attribute:
            continue
        values, scale, zero = node.input
        ranges = [graph.tensors.get(name) for name in (scale, zero)]
        if graph.find_maker(values, b"Concat") is None or any(one is None or one.dims for one in ranges):
            continue
        copies = _list_copies(graph, values)
        sources = {name for copy in copies for name in _name_sources(copy)} - {
            name for copy in copies for name in copy.output
        }
        if len(sources) == 1:
            graph.nodes[place] = _write_early(graph, node, copies, sources.pop())
            n_moved += 1
    return n_moved


def _list_copies(graph: _Graph, name: bytes) -> list[Any]:
    """Return the nodes that only copy what a tensor holds, in order, back to where it was computed."""
    places: set[int] = set()
    left = [name]
    while left:
        place = graph.places.get(left.pop())
        node = None if place is None else graph.nodes[place][0]
        if node is None or node.domain or node.op_type not in COPIES or place in places:
            continue
        if node.op_type == b"Pad" and len(node.input) >= _N_PAD_INPUTS and any(node.input[_PAD_VALUE:]):
            continue  # not padded by zero
        places.add(graph.places[node.output[0]])
        left += _name_sources(node)
    return [graph.nodes[place][0] for place in sorted(places)]


def _name_sources(copy: Any) -> list[bytes]:
    """Return the inputs that hold values, not how to copy them."""
    return list(copy.input if copy.op_type == b"Concat" else copy.input[:1])


def _write_early(graph: _Graph, quantise: Any, copies: list[Any], source: bytes) -> list[Any]:
    """Return the rounding of the source, and the copies of what it gives."""
    values, scale, zero = quantise.input
    suffix = b"/early/" + quantise.output[0]
    renamed = {name: name + suffix for copy in copies for name in copy.output}
    renamed |= {source: source + suffix, values: quantise.output[0]}
    result = [graph.make(op_type=b"QuantizeLinear", input=[source, scale, zero], output=[renamed[source]])]
    for copy in copies:
        node = graph.make()
        node.CopyFrom(copy)
        sources = [renamed[name] for name in _name_sources(copy)]
        node.input[: len(sources)] = sources
        if copy.op_type == b"Pad":
            node.input[_PAD_VALUE:] = [zero]
        node.output[0] = renamed[copy.output[0]]
        node.name = renamed[copy.output[0]]  # no two nodes may have one name
        result.append(node)
    return result
