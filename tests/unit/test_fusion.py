"""What is fused before a session is built gives the same scores to the bit, and what does not look like it stays as it is."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from config.settings import SHIPPED_MODELS
from tests.unit.sounds import make_noise, make_voice
from worker.scoring.bundle import load_bundle
from worker.scoring.fusion import fuse
from worker.scoring.onnx_runtime import ort

IS_X86 = platform.machine().lower() in {"x86_64", "amd64"}
OUTPUTS = ["probabilities", "speech", "arousal", "valence"]
N_IN, N_OUT = 24, 16


def run(model_bytes: bytes, values: np.ndarray, outputs: list[str], name: str) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model_bytes, options, providers=["CPUExecutionProvider"])
    return [np.asarray(one) for one in session.run(outputs, {name: values})]


def assert_same(model_bytes: bytes, values: np.ndarray, outputs: list[str], name: str = "x") -> None:
    """On ARM a compiler may round a product and a sum at once."""
    before, after = (run(one, values, outputs, name) for one in (model_bytes, fuse(model_bytes)))
    for first, second in zip(before, after, strict=True):
        np.testing.assert_allclose(first, second, rtol=0.0, atol=0.0 if IS_X86 else 1e-5)


def list_operators(model_bytes: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(model_bytes).graph.node]


def make_product(
    *, bias: np.ndarray | None = None, scale: np.ndarray | None = None, axis: int = 1, extra: tuple[str, ...] = ()
) -> bytes:
    """A graph x -> y of one static int8 product, a bias and a clip at zero; with further outputs."""
    rng = np.random.default_rng(0)
    weight = rng.integers(-64, 65, (N_IN, N_OUT)).astype(np.int8)
    bias = rng.standard_normal(N_OUT).astype(np.float32) if bias is None else bias
    scale = rng.uniform(0.001, 0.01, N_OUT).astype(np.float32) if scale is None else scale
    tensors = {
        "w": weight, "ws": scale, "wz": np.zeros(scale.shape, dtype=np.int8), "b": bias,
        "xs": np.array(0.03, dtype=np.float32), "xz": np.array(120, dtype=np.uint8),
    }  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "xs", "xz"], ["seen"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], axis=axis),
        helper.make_node("MatMul", ["seen", "wf"], ["product"]),
        helper.make_node("Add", ["b", "product"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    return make_model(nodes, tensors, ["x"], ["y", *extra], ["batch", "n", N_IN])


def make_model(
    nodes: list[Any], tensors: dict[str, np.ndarray], inputs: list[str], outputs: list[str], shape: list[str | int]
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def shipped() -> bytes:
    return load_bundle(max(SHIPPED_MODELS.glob("*/manifest.json")).parent).model_bytes


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((2, 30, N_IN)).astype(np.float32)


def test_the_shipped_graph_gives_the_same_scores_to_the_bit(shipped: bytes) -> None:
    windows = [np.zeros((1, 32_000), dtype=np.float32) for _ in range(5)]
    for row, signal in zip(windows, (make_voice(1.9), make_voice(1.1), make_noise(2.0), make_voice(0.3)), strict=False):
        row[0, : len(signal)] = signal * 0.7

    for window in windows:
        assert_same(shipped, window, OUTPUTS, "waveform")


def test_every_bias_of_an_int8_product_of_the_shipped_graph_is_fused(shipped: bytes) -> None:
    model = onnx.load_from_string(fuse(shipped))
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    seen = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    plain = {node.output[0] for node in model.graph.node if node.op_type == "MatMul" and seen & set(node.input)}

    sums = [node for node in model.graph.node if node.op_type == "Add" and plain & set(node.input)]

    assert [node.name for node in sums if any(len(held[name].dims) == 1 for name in node.input if name in held)] == []
    assert "MatMulIntegerToFloat" in makers.values()
    assert not any(
        makers.get(node.input[0]) == "Concat" for node in model.graph.node if node.op_type == "QuantizeLinear"
    )


def test_a_product_and_its_bias_become_one_operator(frames: np.ndarray) -> None:
    graph = make_product()

    assert list_operators(fuse(graph)) == ["QuantizeLinear", "MatMulIntegerToFloat", "Relu"]
    assert_same(graph, frames, ["y"])


@pytest.mark.parametrize(
    "graph",
    [
        make_product(extra=("product",)),
        make_product(bias=np.ones((30, N_OUT), dtype=np.float32)),
        make_product(bias=np.ones(1, dtype=np.float32)),
        make_product(scale=np.full(N_IN, 0.01, dtype=np.float32), axis=0),
    ],
    ids=["the product is read elsewhere", "a bias a frame", "one bias for all", "scales along the rows"],
)
def test_what_only_looks_alike_stays_as_it_is(graph: bytes) -> None:
    assert fuse(graph) is graph


def test_one_scale_for_the_whole_matrix_is_fused_too(frames: np.ndarray) -> None:
    graph = make_product(scale=np.array(0.01, dtype=np.float32))

    assert "MatMulIntegerToFloat" in list_operators(fuse(graph))
    assert_same(graph, frames, ["y"])


def test_a_graph_that_holds_another_stays_as_it_is() -> None:
    model = onnx.load_from_string(make_product())
    value = helper.make_tensor_value_info
    branch = helper.make_graph(
        [helper.make_node("Identity", ["product"], ["z"])], "branch", [], [value("z", TensorProto.FLOAT, None)]
    )
    model.graph.node.append(helper.make_node("If", ["yes"], ["more"], then_branch=branch, else_branch=branch))
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    graph = model.SerializeToString()

    assert fuse(graph) is graph


def make_side_by_side(*, source: str = "x", pad_value: float | None = None) -> bytes:
    """A graph that lays each frame and the one after it side by side, rounds them and gives them back."""
    tensors = {
        "pads": np.array([0, 0, 0, 0, 1, 0]), "from": np.array([1]), "upto": np.array([-1]), "naught": np.array([0]),
        "far": np.array([10_000]), "middle": np.array([1]), "s": np.array(0.05, dtype=np.float32),
        "z": np.array(100, dtype=np.uint8),
    }  # fmt: skip
    more = [] if pad_value is None else ["value"]
    if pad_value is not None:
        tensors["value"] = np.array(pad_value, dtype=np.float32)
    nodes = [
        helper.make_node("Neg", ["x"], ["turned"]),
        helper.make_node("Pad", ["x", "pads", *more], ["padded"]),
        helper.make_node("Slice", ["padded", "naught", "upto", "middle"], ["before"]),
        helper.make_node("Slice", ["padded", "from", "far", "middle"], ["after"]),
        helper.make_node("Concat", ["before", "after" if source == "x" else source], ["near"], axis=2),
        helper.make_node("QuantizeLinear", ["near", "s", "z"], ["near8"]),
        helper.make_node("DequantizeLinear", ["near8", "s", "z"], ["y"]),
    ]
    return make_model(nodes, tensors, ["x"], ["y"], ["batch", "n", N_IN])


def test_frames_that_are_laid_side_by_side_are_rounded_before(frames: np.ndarray) -> None:
    graph = make_side_by_side()

    assert list_operators(fuse(graph)) == ["QuantizeLinear", "Pad", "Slice", "Slice", "Concat", "DequantizeLinear"]
    assert_same(graph, frames * 5, ["y"])


def test_frames_of_two_tensors_are_rounded_where_they_were() -> None:
    graph = make_side_by_side(source="turned")

    assert fuse(graph) is graph


def test_a_padding_with_another_value_is_left_before_the_rounding(frames: np.ndarray) -> None:
    graph = make_side_by_side(pad_value=0.5)

    assert list_operators(fuse(graph))[:2] == ["Pad", "QuantizeLinear"]
    assert_same(graph, frames, ["y"])
