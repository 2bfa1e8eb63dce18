"""Time one 8 s window on one thread: the shipped model against the paper's DistilHuBERT, in turn; needs the extra `train`.

DistilHuBERT has random weights here, since time does not depend on them. Its int8 is the one that the paper's field
uses, dynamic and of MatMul alone, which is also the quickest one-line form of it; it judges no accuracy.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from protocol import print_protocol

from training.bundle.graph import export_onnx
from training.bundle.quantization import QuantType, quantize_dynamic
from training.nets.backbones import find_backbone
from worker.scoring.onnx_runtime import ort

WINDOW_SAMPLES = 128_000
ROOT = Path(__file__).resolve().parents[1]


def open_session(path: Path) -> ort.InferenceSession:
    """Open a graph with one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def build_distilhubert(folder: Path) -> dict[str, Path]:
    """Write DistilHuBERT with a head, from chance, in float32 and in dynamic int8 of MatMul."""
    torch.manual_seed(0)
    module = find_backbone("distilhubert").build(4, pretrained=None).eval()
    exact, small = folder / "float32.onnx", folder / "int8.onnx"
    export_onnx(module, exact, outputs=("logits",))
    quantize_dynamic(exact, small, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    return {"distilhubert float32": exact, "distilhubert int8, MatMul": small}


def time_in_turn(sessions: dict[str, ort.InferenceSession], *, n_rounds: int) -> dict[str, list[float]]:
    """Return the processor's ms of every run, after one round that does not count."""
    rng = np.random.default_rng(0)
    feed = {"waveform": rng.standard_normal((1, WINDOW_SAMPLES)).astype(np.float32) * np.float32(0.1)}
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(n_rounds + 1):
        for name, session in sessions.items():
            before = time.process_time()
            session.run(None, feed)
            if turn:
                taken[name].append((time.process_time() - before) * 1e3)
    return taken


def main() -> None:
    """Print each graph's size and time, and how many times as fast the first is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=max((ROOT / "models").glob("*/model.onnx")).parent)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    print_protocol(
        f"CPU ms of one 8 s window, one thread, median and least of {arguments.rounds}",
        order="the graphs take turns in one process; the first round does not count",
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = {arguments.bundle.name: arguments.bundle / "model.onnx", **build_distilhubert(Path(folder))}
        taken = time_in_turn({name: open_session(path) for name, path in paths.items()}, n_rounds=arguments.rounds)
        ours = np.array(taken[arguments.bundle.name])
        for name, path in paths.items():
            mine = np.array(taken[name])
            ratio = f"{np.median(mine / ours):5.1f} times ours, turn by turn"
            megabytes = path.stat().st_size / 1e6
            print(f"{name:28} {megabytes:6.1f} MB  {np.median(mine):7.1f} ms  {mine.min():7.1f} ms  {ratio}")


if __name__ == "__main__":
    main()
