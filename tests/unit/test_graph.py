"""A graph gets its values from its own bytes: every reference to anything else is refused before it is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from config.settings import SHIPPED_MODELS
from tests.unit.bundles import make_graph, write_bundle
from tests.unit.outside_graphs import LOCAL, PLACES, make_leaking_graph, make_outside_tensor
from tests.unit.sounds import make_voice
from worker.scoring.bundle import BundleError, load_bundle
from worker.scoring.graph import check_graph
from worker.scoring.onnx_model import parse_model
from worker.scoring.onnx_runtime import ort
from worker.scoring.scorer import Scorer
from worker.scoring.session import INPUT, build_session

SECRET = [3.0, 1.0, 0.0, 0.0]
FORGOTTEN = {"training": "onnxruntime reads nothing of it"}


@pytest.fixture
def locations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Ways to name a file that lies in or beside the working folder."""
    folder = tmp_path / "work" / "here"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for file in (folder / "secret.bin", folder.parent / "secret.bin"):
        np.array(SECRET, dtype=np.float32).tofile(file)
    return {"relative": "secret.bin", "above": "../secret.bin", "absolute": str(folder / "secret.bin")}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", ["relative", "above", "absolute"])
def test_a_tensor_outside_the_file_is_refused_wherever_it_stands(
    tmp_path: Path, locations: dict[str, str], place: str, way: str
) -> None:
    graph = make_leaking_graph(place, make_outside_tensor(locations[way]))
    bundle = load_bundle(write_bundle(tmp_path / "bundle", graph))

    with pytest.raises(BundleError, match="tensor 'secret' has its values outside the file"):
        Scorer(bundle)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", ["relative", "above", "absolute"])
def test_onnxruntime_would_not_find_the_file_either(
    tmp_path: Path, locations: dict[str, str], monkeypatch: pytest.MonkeyPatch, place: str, way: str
) -> None:
    monkeypatch.setattr("worker.scoring.session.check_graph", parse_model)
    bundle = load_bundle(
        write_bundle(tmp_path / "bundle", make_leaking_graph(place, make_outside_tensor(locations[way])))
    )

    if place in FORGOTTEN:
        (scores,) = build_session(bundle, 1).run(None, {INPUT: np.ones((1, 100), dtype=np.float32)})
        assert scores[0] == pytest.approx([0.25] * 4)
    else:
        with pytest.raises(BundleError, match="is refused"):
            build_session(bundle, 1)


def test_a_tensor_that_names_an_address_in_memory_is_refused() -> None:
    values = np.array(SECRET, dtype=np.float32)
    tensor = make_outside_tensor("*/_ORT_MEM_ADDR_/*", offset=str(values.ctypes.data))

    with pytest.raises(BundleError, match="outside the file"):
        check_graph(make_leaking_graph("constant", tensor).SerializeToString())


@pytest.mark.parametrize("location", [1, 2, -1])
def test_any_location_but_the_default_is_refused(location: int) -> None:
    tensor = TensorProto(name="odd", data_type=TensorProto.FLOAT, dims=[1, 4], raw_data=bytes(16))
    number = bytes([location]) if location > 0 else b"\xff" * 9 + b"\x01"
    odd = TensorProto.FromString(tensor.SerializeToString() + bytes([14 << 3]) + number)

    with pytest.raises(BundleError, match="'odd' has its values outside"):
        check_graph(make_leaking_graph("initializer", odd).SerializeToString())


def test_a_tensor_that_only_names_a_file_without_using_it_is_refused() -> None:
    tensor = make_outside_tensor("secret.bin")
    tensor.ClearField("data_location")

    with pytest.raises(BundleError, match="outside the file"):
        check_graph(make_leaking_graph("constant", tensor).SerializeToString())


@pytest.mark.parametrize(
    ("domain", "operator"),
    [
        ("com.microsoft", "EPContext"),
        ("com.microsoft.extensions", "OpenAIAudioToText"),
        ("ai.onnx.ml", "LabelEncoder"),
        ("elsewhere", "Read"),
        (LOCAL, "Another"),
    ],
)
@pytest.mark.parametrize("place", ["branch", "function"])
def test_an_operator_that_is_not_onnx_s_own_is_refused(domain: str, operator: str, place: str) -> None:
    model = make_leaking_graph(place, TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[1, 4]))
    model.opset_import.append(helper.make_opsetid(domain, 1))
    inner = model.functions[0].node if place == "function" else model.graph.node[4].attribute[0].g.node
    inner.append(helper.make_node(operator, ["secret"], ["read"], name="odd", domain=domain))

    with pytest.raises(BundleError, match=rf"node 'odd' is '{operator}' of domain '{domain}', allowed are"):
        check_graph(model.SerializeToString())


def test_functions_of_the_model_are_allowed(tmp_path: Path) -> None:
    values = TensorProto(name="inside", data_type=TensorProto.FLOAT, dims=[1, 4], float_data=SECRET)
    graph = make_leaking_graph("function", values)

    scores = Scorer(load_bundle(write_bundle(tmp_path, graph))).score(make_voice(1.0)).scores

    assert scores == pytest.approx(np.exp(SECRET) / np.exp(SECRET).sum(), abs=1e-6)


def test_options_that_a_model_brings_for_its_session_are_refused() -> None:
    graph = make_graph()
    helper.set_model_props(graph, {"ort_config": '{"session_options": {"enable_profiling": 1}}'})

    with pytest.raises(BundleError, match="brings session options"):
        check_graph(graph.SerializeToString())


def wrap(field: int, content: bytes) -> bytes:
    """Content as field `field` of a message of protobuf."""
    size, n = b"", len(content)
    while n > 127:
        size, n = size + bytes([n & 127 | 128]), n >> 7
    return bytes([field << 3 | 2]) + size + bytes([n]) + content


def test_a_graph_of_a_thousand_levels_is_refused() -> None:
    graph = b""
    for _ in range(1000):
        graph = wrap(1, wrap(5, wrap(6, graph)))  # a node of an attribute of a graph

    with pytest.raises(BundleError, match="nested too deeply"):
        check_graph(wrap(7, graph))


def test_onnxruntimes_own_format_is_refused(tmp_path: Path) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(make_graph().SerializeToString(), options, providers=["CPUExecutionProvider"])
    bundle = load_bundle(write_bundle(tmp_path / "bundle"))
    converted = replace(bundle, model_bytes=(tmp_path / "model.ort").read_bytes())

    with pytest.raises(BundleError, match="is refused"):
        build_session(converted, 1)


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x00" * 100, b"\x7a\x00"])
def test_bytes_that_hold_no_graph_are_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match="the graph is refused"):
        check_graph(content)


def test_the_shipped_graph_passes() -> None:
    for model in SHIPPED_MODELS.glob("*/model.onnx"):
        check_graph(model.read_bytes())
