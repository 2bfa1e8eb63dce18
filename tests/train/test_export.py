"""Exported bundles: parity, batch neighbours to the bit, what the gate refuses, the size of the paper's system."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from nets import LABELS, build_small, find_small, make_tone, make_tones

from training.bundle.export import export_bundle
from training.bundle.graph import OPSET
from training.bundle.int8 import Int8Error, check_promise
from training.bundle.manifest import Identity
from training.bundle.parity import Gate, ParityError
from training.fitting.presets import PAPER
from training.fitting.recipe import Calibration
from training.nets.backbones import find_backbone, list_backbones
from training.nets.backbones.base import Int8Scheme
from worker.scoring.bundle import load_bundle
from worker.scoring.onnx_runtime import ort
from worker.scoring.scorer import Scorer

RECIPE = replace(PAPER, name="test")
LOOSE = Gate(max_ua_drop=1.0, min_same_label=0.0, max_probability_change=0.2)
IDENTITY = Identity(
    "tiny",
    "0.0.1",
    LABELS,
    "Apache-2.0",
    RECIPE.front_end,
    Calibration(temperature=0.7, uncertain_below=0.5),
    speech_threshold=None,
    scheme="static QDQ U8S8",
)
TRAINING = {
    "recipe": RECIPE.as_dict(),
    "corpora": [{"name": "tones", "licence": "none", "n_utterances": 8}],
    "seed": 0,
    "git": "test",
}
PARTS = {"identity": IDENTITY, "training": TRAINING, "metrics": {"ua": 0.25}, "gate": LOOSE}


def export(name, folder, **changes):
    tones = {"train": make_tones(0, 6, RECIPE), "check": make_tones(100, 4, RECIPE)}
    net = build_small(name)
    return net, export_bundle(net, find_small(name), folder, **{**PARTS, **tones, **changes}).parity


@pytest.fixture(scope="module", params=list_backbones())
def exported(request, tmp_path_factory):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("bundles") / request.param
    net, parity = export(request.param, folder)
    return request.param, net, parity, load_bundle(folder)


def open_graph(bundle):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(bundle.model_bytes, options, providers=["CPUExecutionProvider"])


def test_serving_scores_a_window_with_it(exported):
    _, _, _, bundle = exported
    tone = make_tone(make_tones(7, 1, RECIPE).utterances[0].path)
    scores = Scorer(bundle).score(tone).scores
    assert len(scores) == len(LABELS)
    assert sum(scores) == pytest.approx(1.0)


def test_onnx_says_what_torch_says(exported):
    _, _, parity, _ = exported
    assert parity.max_torch_change < 1e-5
    assert parity.max_probability_change < 0.05


def test_a_window_scores_the_same_to_the_bit_whatever_shares_its_batch(exported):
    session, rng = open_graph(exported[3]), np.random.default_rng(0)
    batch = rng.standard_normal((8, 128_000)).astype(np.float32) * rng.uniform(0.001, 0.9, (8, 1)).astype(np.float32)
    batch[3, 20_000:] = 0.0
    batch[5, 100_000:] = 0.0
    together = session.run(None, {"waveform": batch})
    for index, row in enumerate(batch):
        for alone, shared in zip(session.run(None, {"waveform": row[None]}), together, strict=True):
            assert np.array_equal(alone[0], shared[index])


def test_trailing_zeros_change_nothing_in_int8_either(exported):
    session = open_graph(exported[3])
    window = (np.random.default_rng(1).standard_normal((1, 30_000)) * 0.1).astype(np.float32)
    padded = np.pad(window, ((0, 0), (0, 98_000)))
    short, long = (session.run(None, {"waveform": one})[0] for one in (window, padded))
    assert np.abs(short - long).max() < 1e-3


def test_the_manifest_says_what_was_made(exported):
    name, _, parity, bundle = exported
    manifest, model = bundle.manifest, onnx.load_from_string(bundle.model_bytes)
    assert manifest.front_end == RECIPE.front_end
    assert manifest.opset == OPSET == next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    assert manifest.training["backbone"] == name
    assert manifest.metrics["parity"] == parity.as_dict()
    assert manifest.speech_gate is None
    assert set(manifest.dimensions) == {"arousal", "valence"}
    assert "U8S8" in manifest.quantisation["scheme"]
    assert any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def test_only_products_by_a_constant_matrix_are_int8(exported):
    model = onnx.load_from_string(exported[3].model_bytes)
    shapes = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    seen = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    products = [node for node in model.graph.node if node.op_type == "MatMul" and {*node.input} & {*seen}]
    assert all(shapes.get(seen[node.input[1]]) == 2 and node.input[0] in seen for node in products)
    assert not any("classifier" in node.name for node in products)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda graph: spoil_weight(graph, 65), "values up to 65"),
        (
            lambda graph: graph.node.append(onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])),
            "Dyn",
        ),
        (lambda graph: graph.ClearField("node"), "no int8 weight"),
    ],
)
def test_a_graph_that_breaks_the_promise_of_int8_is_refused(exported, spoil, message):
    model = onnx.load_from_string(exported[3].model_bytes)
    check_promise(model)
    spoil(model.graph)
    with pytest.raises(Int8Error, match=message):
        check_promise(model)


def spoil_weight(graph, value):
    read = {node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    tensor = next(one for one in graph.initializer if one.data_type == onnx.TensorProto.INT8 and one.name in read)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = value
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"op_types": ("Gemm",), "keep_float": ()}, "Gemm"),
        ({"op_types": ("MatMul",), "keep_float": ("head",)}, "min_weights"),
        ({"op_types": ("Conv",), "keep_float": (), "min_weights": 9}, "keep_float"),
    ],
)
def test_a_scheme_that_no_writer_keeps_is_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        Int8Scheme(**parts, text="none")


def test_the_card_shows_the_figures_of_the_manifest(exported):
    card = (exported[3].folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "$" not in card
    assert "max_torch_change" in card
    assert "| tones |  |  | 8 | none |  |" in card


@pytest.mark.parametrize(
    "gate",
    [Gate(max_probability_change=0.0), Gate(max_torch_change=0.0), Gate(max_ua_drop=-1.0), Gate(min_same_label=1.1)],
)
def test_a_graph_beyond_the_gate_is_not_written(tmp_path, gate):
    with pytest.raises(ParityError, match="nothing was written"):
        export("light-sernet", tmp_path / "models" / "tiny", gate=gate)
    assert list(tmp_path.rglob("*")) == []


def test_a_version_is_never_written_twice(tmp_path):
    (tmp_path / "tiny").mkdir()
    with pytest.raises(FileExistsError, match="never written twice"):
        export("light-sernet", tmp_path / "tiny")


def test_exporting_leaves_the_net_as_it_was(tmp_path):
    net, _ = export("distilhubert", tmp_path / "tiny")
    assert any("parametrizations" in name for name in net.state_dict())


@pytest.mark.timeout(200)
def test_the_papers_distilhubert_is_about_23_megabytes_in_int8(tmp_path):
    backbone = find_backbone("distilhubert")
    net = backbone.build(len(LABELS), pretrained=None).eval()
    tones = {"train": make_tones(0, 1, RECIPE), "check": make_tones(100, 1, RECIPE)}
    parity = export_bundle(net, backbone, tmp_path / "paper", **{**PARTS, **tones}).parity
    assert 22.0 < parity.megabytes < 26.0
    assert parity.max_torch_change < 1e-4
