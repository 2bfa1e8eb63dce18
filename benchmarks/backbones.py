"""Time one 8 s window on one thread, in turn: a bundle against other bundles, or against the paper's DistilHuBERT.

Against bundles, sessions are those of serving. DistilHuBERT needs the extra `train` and has random weights here, since time
does not depend on them; its int8 is the one that the paper's field uses, dynamic and of MatMul alone, which is also the
quickest one-line form of it. Accuracy is not judged.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from protocol import print_protocol

from worker.scoring.bundle import load_bundle
from worker.scoring.onnx_runtime import ort
from worker.scoring.session import build_session

WINDOW_SAMPLES = 128_000
ROOT = Path(__file__).resolve().parents[1]


def open_session(path: Path) -> ort.InferenceSession:
    """Open a graph with one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def build_distilhubert(folder: Path) -> dict[str, Path]:
    """Write DistilHuBERT with a head, from chance, in float32 and in dynamic int8 of MatMul."""
    import torch  # noqa: PLC0415 - not needed to compare bundles

    from training.bundle.graph import export_onnx  # noqa: PLC0415
    from training.bundle.quantization import QuantType, quantize_dynamic  # noqa: PLC0415
    from training.nets.backbones import find_backbone  # noqa: PLC0415

    torch.manual_seed(0)
    module = find_backbone("distilhubert").build(4, pretrained=None).eval()
    exact, small = folder / "float32.onnx", folder / "int8.onnx"
    export_onnx(module, exact, outputs=("logits",))
    quantize_dynamic(exact, small, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    return {"distilhubert float32": exact, "distilhubert int8, MatMul": small}


def time_in_turn(sessions: dict[str, ort.InferenceSession], *, n_rounds: int) -> dict[str, NDArray[np.float64]]:
    """Return the processor's ms of every run, after one round that does not count.

    Every other round goes through the sessions backwards, so that none gains from what ran before it.
    """
    rng = np.random.default_rng(0)
    feed = {"waveform": rng.standard_normal((1, WINDOW_SAMPLES)).astype(np.float32) * np.float32(0.1)}
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    for turn in range(n_rounds + 1):
        for name in [*sessions][:: 1 if turn % 2 else -1]:
            before = time.process_time()
            sessions[name].run(None, feed)
            if turn:
                taken[name].append((time.process_time() - before) * 1e3)
    return {name: np.array(runs) for name, runs in taken.items()}


def describe(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> str:
    """Return a graph's time, and what ours costs of it: median of the ratios turn by turn, and their middle half.

    >>> describe(np.array([1.0, 2.0, 2.0]), np.array([4.0, 4.0, 4.0]))
    'median    4.0 ms, least    4.0 ms, ours costs 0.500 of it (middle half 0.375 to 0.500)'
    """
    low, median, high = np.percentile(ours / theirs, [25, 50, 75])
    cost = f"ours costs {median:.3f} of it (middle half {low:.3f} to {high:.3f})"
    return f"median {np.median(theirs):6.1f} ms, least {theirs.min():6.1f} ms, {cost}"


def main() -> None:
    """Print each graph's size and time, and what ours costs of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=max((ROOT / "models").glob("*/model.onnx")).parent)
    parser.add_argument("--against", type=Path, nargs="+", default=[], metavar="BUNDLE", help="instead of DistilHuBERT")
    parser.add_argument("--rounds", type=int, default=41)
    arguments = parser.parse_args()
    print_protocol(
        f"processor ms of one 8 s window, one thread, {arguments.rounds} rounds",
        order="the graphs take turns in one process, every other round backwards; the first round does not count",
    )
    folders = [arguments.bundle, *arguments.against]
    paths = {str(folder): folder / "model.onnx" for folder in folders}
    sessions = {str(folder): build_session(load_bundle(folder), 1) for folder in folders}
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.against:
            others = build_distilhubert(Path(folder))
            paths |= others
            sessions |= {name: open_session(path) for name, path in others.items()}
        taken = time_in_turn(sessions, n_rounds=arguments.rounds)
        for name, path in paths.items():
            cost = describe(taken[str(arguments.bundle)], taken[name])
            print(f"{name:28} {path.stat().st_size / 1e6:6.2f} MB, {cost}")


if __name__ == "__main__":
    main()
