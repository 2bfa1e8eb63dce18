"""What is done to the encoder so that int8 costs it less: nothing in float32, and no mean error is left."""

import numpy as np
import onnx
import pytest
import torch

from training.bundle.graph import export_onnx
from training.bundle.int8 import check_promise, quantise_graph
from training.bundle.shift import remove_shift
from training.bundle.smoothing import smooth_encoder
from training.nets.backbones.whisper_base import FACTS
from training.nets.whisper import PooledEncoder
from worker.scoring.onnx_runtime import ort


def make_windows(n_windows, *, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(int(size)).astype(np.float32) * 0.1 for size in rng.integers(4_000, 9_000, n_windows)]


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    made = PooledEncoder().eval().requires_grad_(requires_grad=False)
    for layer in made.layers:
        layer.final_layer_norm.weight[7] = 60.0  # A channel that is far wider than the others.
    return made


def hear(encoder, window):
    with torch.inference_mode():
        return encoder(torch.from_numpy(window)[None])[0].numpy()


def run_all(path, windows):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.stack([session.run(["statistics"], {"waveform": window[None]})[0][0] for window in windows])


def export(encoder, path):
    return export_onnx(encoder, path, outputs=("statistics",))


def test_smoothing_changes_weights_and_narrows_channels_but_not_what_the_encoder_says(encoder):
    windows = make_windows(4)
    before = [hear(encoder, window) for window in windows]
    norm = encoder.layers[1].final_layer_norm
    widest = float(norm.weight.abs().max())

    smooth_encoder(encoder, windows)

    assert float(norm.weight.abs().max()) < widest / 2
    for window, said in zip(windows, before, strict=True):
        assert np.abs(hear(encoder, window) - said).max() < 1e-3 * np.abs(said).max()


def test_smoothing_costs_int8_less_and_the_shift_leaves_no_mean_error(encoder, tmp_path):
    windows, unheard = make_windows(4), make_windows(4, seed=1)
    errors = {}
    for name in ("plain", "smooth"):
        if name == "smooth":
            smooth_encoder(encoder, windows)
        exact, small = tmp_path / f"{name}.onnx", tmp_path / f"{name}-int8.onnx"
        export(encoder, exact)
        quantise_graph(exact, small, scheme=FACTS.int8, calibration=windows)
        errors[name] = np.abs(run_all(small, unheard) - run_all(exact, unheard)).mean()
    assert errors["smooth"] < errors["plain"]

    shift = remove_shift(exact, small, windows)

    assert np.abs(shift).max() > 0
    assert np.abs((run_all(small, windows) - run_all(exact, windows)).mean(axis=0)).max() < 1e-4


def test_a_graph_that_takes_its_shift_away_still_keeps_the_promise_of_int8(encoder, tmp_path):
    windows = make_windows(2)
    exact, small = tmp_path / "exact.onnx", tmp_path / "small.onnx"
    export(encoder, exact)
    quantise_graph(exact, small, scheme=FACTS.int8, calibration=windows)

    remove_shift(exact, small, windows)

    check_promise(onnx.load(small))
