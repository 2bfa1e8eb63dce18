"""Arousal and valence inside the graph: the sums of its own probabilities."""

import json

import numpy as np
import pytest
import torch

from training.bundle.graph import export_onnx, make_waveform
from training.bundle.model_graph import FACTS_FILE, OUTPUTS, TwoHeads, assemble, finish_graph
from training.corpora import LABELS
from training.fitting.model_recipe import Calibration
from training.nets.whisper import N_STATISTICS, PooledEncoder
from worker.scoring.onnx_runtime import ort

TEMPERATURE = 1.7


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
    example, part = make_waveform(), folder / "encoder.onnx"
    export_onnx(encoder, part, inputs="waveform", example=example, outputs=("statistics",))
    return assemble(part, TwoHeads(emotion, speech, temperature=TEMPERATURE), folder / "whole.onnx")


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


@pytest.mark.parametrize("lacking", ["outputs", "temperature"])
def test_a_graph_of_fewer_outputs_or_another_temperature_is_made_again(tmp_path, lacking):
    facts = {"temperature": TEMPERATURE, "outputs": list(OUTPUTS), "figures": {}}
    path = tmp_path / FACTS_FILE
    path.write_text(json.dumps(facts), encoding="utf-8")
    finish_graph(None, None, tmp_path, None, calibration=Calibration(TEMPERATURE, 0.5))  # Stays: it asks for nothing.

    path.write_text(json.dumps({**facts, lacking: None}), encoding="utf-8")

    with pytest.raises(AttributeError):
        finish_graph(None, None, tmp_path, None, calibration=Calibration(TEMPERATURE, 0.5))
    assert not path.is_file()
