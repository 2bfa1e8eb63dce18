"""Arousal and valence inside the graph: the sums of its own probabilities."""

import numpy as np
import pytest
import torch

from training.bundle.graph import append_part, export_onnx
from training.bundle.heads import POOLED, Readings, TwoHeads
from training.corpora import LABELS
from training.nets.heads import Standardise
from training.nets.whisper import N_STATISTICS, PooledEncoder
from worker.scoring.onnx_runtime import ort

TEMPERATURE = 1.7
OUTPUTS = TwoHeads.OUTPUTS


def make_waveforms():
    rng = np.random.default_rng(0)
    return (rng.standard_normal((6, 16_000)) * np.logspace(-3, 0, 6)[:, None]).astype(np.float32)


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """A graph of made-up weights, centred and far apart, so that the windows differ in every probability."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("graph")
    encoder = PooledEncoder().eval().requires_grad_(requires_grad=False)
    emotion, speech = torch.nn.Linear(N_STATISTICS, 4), torch.nn.Linear(N_STATISTICS, 2)
    with torch.no_grad():
        torch.nn.init.normal_(emotion.weight, std=2.0)
        emotion.bias.copy_(-emotion.weight @ encoder(torch.from_numpy(make_waveforms())).mean(dim=0))
    part = export_onnx(encoder, folder / "encoder.onnx", outputs=("statistics",))
    heads, example = TwoHeads(emotion, speech, temperature=TEMPERATURE), {"statistics": torch.zeros(2, N_STATISTICS)}
    return append_part(part, heads, folder / "whole.onnx", prefix="heads", inputs=example, outputs=OUTPUTS)


@pytest.fixture(scope="module")
def said(graph):
    session = ort.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {"waveform": make_waveforms()}), strict=True))


def test_arousal_is_anger_and_happiness_and_valence_is_happiness_less_anger_and_sadness(said):
    chances = dict(zip(LABELS, said["probabilities"].T, strict=True))

    assert said["arousal"] == pytest.approx(chances["anger"] + chances["happiness"], abs=1e-6)
    assert said["valence"] == pytest.approx(chances["happiness"] - chances["anger"] - chances["sadness"], abs=1e-6)


def test_each_is_one_float32_a_window_and_they_are_not_the_same_everywhere(said):
    for name in ("arousal", "valence"):
        assert (said[name].dtype, said[name].shape) == (np.dtype(np.float32), (6,))
        assert np.ptp(said[name]) > 0.01


@pytest.mark.parametrize("is_gated", [True, False])
def test_readings_behind_any_graph_leave_its_probabilities_and_take_the_place_of_the_pooled_vector(tmp_path, is_gated):
    torch.manual_seed(0)
    net, head = (
        torch.nn.Linear(8, len(LABELS)),
        torch.nn.Sequential(Standardise(np.eye(8, dtype=np.float32)), torch.nn.Linear(8, 2)),
    )
    net.requires_grad_(requires_grad=False)

    class Net(torch.nn.Module):
        def forward(self, waveform):
            pooled = waveform[:, :8]
            return net(pooled).softmax(dim=1), pooled

    graph = export_onnx(Net(), tmp_path / "net.onnx", outputs=("probabilities", POOLED))
    readings = Readings(LABELS, head if is_gated else None)
    inputs = {"probabilities": torch.full((2, 4), 0.25)} | ({POOLED: torch.zeros(2, 8)} if is_gated else {})
    drop = () if is_gated else (POOLED,)
    parts = {
        "prefix": "readings",
        "inputs": inputs,
        "outputs": readings.outputs,
        "keep": ("probabilities",),
        "drop": drop,
    }
    whole = append_part(graph, readings, tmp_path / "whole.onnx", **parts)

    session = ort.InferenceSession(str(whole), providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"waveform": make_waveforms()}), strict=True))
    chances = dict(zip(LABELS, found["probabilities"].T, strict=True))

    assert names == ["probabilities", *readings.outputs]
    assert ("speech" in names) == is_gated
    assert found["arousal"] == pytest.approx(chances["anger"] + chances["happiness"], abs=1e-6)
    assert found["valence"] == pytest.approx(chances["happiness"] - chances["anger"] - chances["sadness"], abs=1e-6)
    assert all(found[name].shape == (6,) for name in readings.outputs)
