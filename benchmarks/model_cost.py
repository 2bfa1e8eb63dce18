"""Time one window of 8 s through Tonalog's scorer and through what others use, in turn on one core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import chains
from benchmarks.distilhubert_files import write_distilhubert, write_large
from benchmarks.in_turn import describe_times, ratio_in_turn, time_in_turn
from config.settings import Settings
from tonalog.bundles import default_bundle
from worker.scoring.bundle import load_bundle
from worker.scoring.scorer import Scorer

OURS = "Tonalog"
WINDOW_S = 8


def measure(*, n_turns: int = 9) -> dict[str, Any]:
    """Return ms a window of each model and how many times ours that is, turn by turn."""
    graphs = write_distilhubert()
    large = chains.build_audonnx(write_large())
    rng = np.random.default_rng(0)
    signal = (rng.standard_normal(chains.WINDOW_SAMPLES) * 0.1).astype(np.float32)
    folder = default_bundle(Settings())
    bundle = load_bundle(folder)
    models: dict[str, Callable[[Any], Any]] = {
        OURS: Scorer(bundle).score,
        "transformers pipeline, DistilHuBERT float32": chains.build_pipeline(),
        "onnxruntime, DistilHuBERT float32": chains.build_onnx(graphs["float32"]),
        "onnxruntime, DistilHuBERT quantize_dynamic in one line": chains.build_onnx(graphs["dynamic"]),
        "onnxruntime, DistilHuBERT static int8": chains.build_onnx(graphs["static"]),
    }
    if large is not None:
        models["audonnx, wav2vec 2.0 large of 12 layers float32"] = large
    times = time_in_turn({name: _bind(model, signal) for name, model in models.items()}, n_turns=n_turns)
    return {
        "unit": "ms a window of 8 s",
        "ours": f"{bundle.manifest.name}-{bundle.manifest.version}",
        "has_audonnx": large is not None,
        "variants": {name: describe_times(one) for name, one in times.items()},
        "ratios": {name: ratio_in_turn(one, times[OURS]) for name, one in times.items() if name != OURS},
        "file_mb": {kind: path.stat().st_size / 1e6 for kind, path in {OURS: folder / "model.onnx", **graphs}.items()},
    }


def _bind(model: Callable[[Any], Any], signal: Any) -> Callable[[], Any]:
    return lambda: model(signal)
