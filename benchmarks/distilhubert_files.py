"""Write the graphs that `make bench` compares with, from random weights: time does not depend on them, accuracy is not judged.

DistilHuBERT in float32, in the one-line dynamic int8 and in static int8, and the shape of audEERING's public
model of dimensions (wav2vec 2.0 large, twelve layers) in float32. They are kept in `build/bench` and made once.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.bundle.graph import OPSET, WAVEFORM, export_onnx
from training.bundle.int8 import quantise_graph
from training.bundle.quantization import quantize_dynamic
from training.nets.backbones import find_backbone
from training.nets.pretrained import Wav2Vec2Config, Wav2Vec2Model

KEPT = Path(__file__).resolve().parents[1] / "build" / "bench"
WINDOW_SAMPLES = 128_000
N_CALIBRATION = 8
LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
    "conv_bias": True,
    "attn_implementation": "eager",
}
"""audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim, where it differs from wav2vec 2.0 base."""


def write_distilhubert(folder: Path = KEPT) -> dict[str, Path]:
    """Write DistilHuBERT with a head of four labels; return each kind's file: float32, dynamic and static."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: folder / f"distilhubert-{kind}.onnx" for kind in ("float32", "dynamic", "static")}
    if not files["float32"].exists():
        torch.manual_seed(0)
        module = find_backbone("distilhubert").build(4, pretrained=None).eval()
        _finish(files["float32"], lambda target: export_onnx(module, target, outputs=("logits",)))
    if not files["dynamic"].exists():
        _finish(files["dynamic"], lambda target: quantize_dynamic(files["float32"], target))
    if not files["static"].exists():
        scheme = find_backbone("distilhubert").facts.int8
        rng = np.random.default_rng(0)
        signals = [rng.standard_normal(WINDOW_SAMPLES).astype(np.float32) * 0.1 for _ in range(N_CALIBRATION)]
        _finish(
            files["static"],
            lambda target: quantise_graph(files["float32"], target, scheme=scheme, calibration=signals),
        )
    return files


def write_large(folder: Path = KEPT) -> Path:
    """Write wav2vec 2.0 large with twelve layers, a mean over time and three values in float32; 660 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "wav2vec2-large-12.onnx"
    if not file.exists():
        torch.manual_seed(0)
        module = _Large().eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _finish(file, lambda target: _export_large(module, target))
    return file


class _Large(torch.nn.Module):  # type: ignore[misc]  # torch has no types here
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Wav2Vec2Model(Wav2Vec2Config(**LARGE))
        self.head = torch.nn.Linear(LARGE["hidden_size"], 3)

    def forward(self, signal: Any) -> Any:
        return self.head(self.encoder(signal).last_hidden_state.mean(1))


def _export_large(module: Any, target: Path) -> None:
    torch.onnx.export(
        module,
        (torch.zeros(1, WINDOW_SAMPLES),),
        str(target),
        input_names=[WAVEFORM],
        output_names=["logits"],
        dynamic_axes={WAVEFORM: {1: "n_samples"}},  # audonnx takes one free axis
        opset_version=OPSET,
        dynamo=False,
    )


def _finish(file: Path, write: Any) -> None:
    """Let a file appear under its name only when it is whole."""
    half = file.with_name("half-" + file.name)
    write(half)
    half.replace(file)
