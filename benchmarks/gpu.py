"""What a GPU would give: the shipped graph in torch on CUDA, in batches of windows, against onnxruntime on the CPU of the same machine.

Every operator of the graph is run by torch, once as it is (activations rounded to 8 bits as on the CPU, products exact in
float32) and once without that rounding in half precision, which is what a worker made for a GPU would do; each captured as a
CUDA graph, so that no time goes to launching. Where onnxruntime has its CUDA provider, it takes part as well. Audio is not decoded:
what stands here is the least that a GPU worker would cost beside decoding and finding speech, which stay on the CPU.

    python benchmarks/gpu.py [--model DIR] [--batches 1 8 64 256] [--kinds rounded half] [--json FILE]

Needs torch, onnx, onnxruntime and numpy, and nothing of Tonalog.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime as ort  # noqa: TID251 - runs where Tonalog is not installed; its telemetry is off above
import torch
from gpu_graph import OUTPUTS, WINDOW_SAMPLES, TorchGraph, flatten

ROOT = Path(__file__).resolve().parents[1]
RATE_HZ = 16_000
KINDS = ("rounded", "half", "compiled half")
LEAST_S = 1.5
"""Each batch is repeated for at least so long."""
N_COMPILED = 2
"""torch.compile takes a minute a batch, so that only the largest batches are compiled."""
WORST_CHANGE = 1e-2
"""Another order of sums moves a value to the next of its 256 steps here and there; a wrong operator moves scores by far more."""


def main() -> int:
    """Print the comparison; return 1 where the rounded graph's scores differ from the CPU's by more than 1e-2, 2 without CUDA."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=max((ROOT / "models").glob("*/model.onnx")).parent)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="ways to run the graph in torch")
    parser.add_argument("--device", default="cuda", help="cpu tries the arithmetic without a GPU")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device; use --device cpu to try the arithmetic", file=sys.stderr)
        return 2
    windows = make_windows(max(options.batches))
    figures: dict[str, Any] = {"machine": describe_machine(options.device), "model": options.model.name}
    print(json.dumps(figures["machine"]), flush=True)
    exact, figures["cpu"] = score_on_cpu(options.model / "model.onnx", windows)
    print(f"CPU: {figures['cpu']['windows_a_core_s']:.1f} windows a core second", flush=True)
    figures["gpu"] = {}
    for kind in options.kinds:
        figures["gpu"][kind] = measure_kind(kind, options, windows, exact)
    figures["gpu"]["onnxruntime"] = measure_onnxruntime(options, windows, exact)
    figures["price"] = weigh(figures)
    print(json.dumps(figures["price"], indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    worst = max((one["largest_difference"] for one in figures["gpu"].get("rounded", {}).values()), default=0.0)
    return 1 if worst > WORST_CHANGE else 0


def describe_machine(device: str) -> dict[str, Any]:
    """Return what the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return {
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "cpu": next(line.partition(":")[2].strip() for line in info if line.startswith("model name")),
        "cores": os.cpu_count(),
        "versions": f"Python {platform.python_version()}, torch {torch.__version__}, onnxruntime {ort.__version__}",
        "load": os.getloadavg()[0],
    }


def make_windows(n: int) -> np.ndarray:
    """Make windows of voiced bursts in noise, float32 (n, 128000), each different; with zeros of another length at its end."""
    rng = np.random.default_rng(0)
    at_s = np.arange(WINDOW_SAMPLES) / RATE_HZ
    windows = np.empty((n, WINDOW_SAMPLES), dtype=np.float32)
    for window in windows:
        pitch_hz, pace_hz = rng.uniform(90, 250), rng.uniform(2, 6)
        tone = sum(np.sin(2 * np.pi * pitch_hz * k * at_s + rng.uniform(0, 6)) / k for k in range(1, 12))
        burst = np.clip(np.sin(2 * np.pi * pace_hz * at_s + rng.uniform(0, 6)) + 0.3, 0, None)
        window[:] = 0.2 * tone * burst + 0.003 * rng.standard_normal(WINDOW_SAMPLES)
        window[WINDOW_SAMPLES - rng.integers(0, WINDOW_SAMPLES // 2) :] = 0.0
    return windows / np.float32(np.abs(windows).max() * 1.1)


def score_on_cpu(path: Path, windows: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Score windows one by one on one thread, as a worker does, and say how many a core second that is."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    session.run(list(OUTPUTS), {"waveform": windows[:1]})
    taken, scores = [], []
    for window in windows:
        before = time.process_time()
        scores.append(session.run(list(OUTPUTS), {"waveform": window[None]}))
        taken.append(time.process_time() - before)
    each = {name: np.concatenate([one[place].reshape(1, -1) for one in scores]) for place, name in enumerate(OUTPUTS)}
    ms = 1e3 * statistics.median(taken)
    return each, {"ms_a_window": ms, "windows_a_core_s": 1e3 / ms}


def measure_kind(kind: str, options: Any, windows: np.ndarray, exact: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the figures of one way to run the graph, batch by batch."""
    alone: dict[str, np.ndarray] = {}
    figures = {}
    batches = sorted(options.batches)
    for batch in batches[-N_COMPILED:] if kind.startswith("compiled") else batches:
        graph = TorchGraph(
            flatten(options.model / "model.onnx", batch, is_rounded=kind == "rounded"),
            device=options.device,
            is_half="half" in kind,
        )
        try:
            run = capture(graph, batch, options.device, is_compiled=kind.startswith("compiled"))
            scores = run_all(run, windows, batch)
            alone = alone or scores
            others = run_all(run, windows[::-1], batch)
            is_same = all(np.array_equal(others[name][::-1], scores[name]) for name in OUTPUTS)
            figures[str(batch)] = describe(scores, exact, alone) | {"is_bit_equal_with_other_neighbours": is_same}
            figures[str(batch)] |= time_batches(run, windows, batch, options.device)
        except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
            if kind == "rounded":
                raise
            figures[str(batch)] = {"failed": str(error).splitlines()[0]}
        print(f"{kind:14} batch {batch:4}: {json.dumps(figures[str(batch)])}", flush=True)
    return figures


def capture(
    graph: TorchGraph, batch: int, device: str, *, is_compiled: bool
) -> Callable[[torch.Tensor], tuple[torch.Tensor, ...]]:
    """Return the graph as one launch: its input is copied from pinned memory, and its outputs back, inside the call."""
    work = torch.compile(graph.__call__, dynamic=False) if is_compiled else graph
    if device != "cuda":
        with torch.inference_mode():
            return lambda window: tuple(one.clone() for one in work(window))
    held = torch.zeros(batch, WINDOW_SAMPLES, device=device)
    side = torch.cuda.Stream()
    with torch.inference_mode():
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work(held)
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recorded):
            outputs = work(held)

    def run(window: torch.Tensor) -> tuple[torch.Tensor, ...]:
        held.copy_(window, non_blocking=True)
        recorded.replay()
        return tuple(one.to("cpu") for one in outputs)

    return run


def run_all(
    run: Callable[[torch.Tensor], tuple[torch.Tensor, ...]], windows: np.ndarray, batch: int
) -> dict[str, np.ndarray]:
    """Score all windows in batches of one size; the last is filled with the first windows."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in OUTPUTS}
    for start in range(0, len(windows), batch):
        part = np.take(windows, range(start, start + batch), axis=0, mode="wrap")
        for name, one in zip(OUTPUTS, run(torch.from_numpy(part)), strict=True):
            found[name].append(one.float().numpy().reshape(batch, -1).copy())
    return {name: np.concatenate(some)[: len(windows)] for name, some in found.items()}


def describe(
    scores: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray], alone: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Say how far the scores are from the CPU's, and whether a window's neighbours in the batch change them."""
    return {
        "largest_difference": float(max(np.abs(scores[name] - exact[name]).max() for name in OUTPUTS)),
        "mean_difference": float(np.abs(scores["probabilities"] - exact["probabilities"]).mean()),
        "same_label": float((scores["probabilities"].argmax(1) == exact["probabilities"].argmax(1)).mean()),
        "is_bit_equal_to_batch_of_least": all(np.array_equal(scores[name], alone[name]) for name in OUTPUTS),
        "largest_change_by_batch": float(max(np.abs(scores[name] - alone[name]).max() for name in OUTPUTS)),
    }


def time_batches(run: Callable[[torch.Tensor], Any], windows: np.ndarray, batch: int, device: str) -> dict[str, float]:
    """Return windows a second of wall time, copies to the GPU and back included, as the median over batches."""
    part = torch.from_numpy(windows[:batch].copy())
    part = part.pin_memory() if device == "cuda" else part
    taken, began = [], time.perf_counter()
    while time.perf_counter() - began < LEAST_S or len(taken) < 3:  # noqa: PLR2004
        before = time.perf_counter()
        run(part)
        taken.append(time.perf_counter() - before)
    return {"windows_a_s": batch / statistics.median(taken), "ms_a_batch": 1e3 * statistics.median(taken)}


def measure_onnxruntime(options: Any, windows: np.ndarray, exact: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the same of onnxruntime's CUDA provider, for the shipped graph; why not, where it has none."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return {"missing": f"onnxruntime here has {ort.get_available_providers()}"}
    session = ort.InferenceSession(str(options.model / "model.onnx"), providers=["CUDAExecutionProvider"])

    def run(part: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.from_numpy(one) for one in session.run(list(OUTPUTS), {"waveform": part.numpy()}))

    figures, alone = {}, {}
    for batch in sorted(options.batches):
        scores = run_all(run, windows, batch)
        alone = alone or scores
        figures[str(batch)] = describe(scores, exact, alone) | time_batches(run, windows, batch, "cpu")
    return figures


def weigh(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a GPU hour may cost at most in core hours of the same provider, for the model's part alone."""
    core = figures["cpu"]["windows_a_core_s"]
    rates = {
        f"{kind}, batch {batch}": one["windows_a_s"]
        for kind, some in figures["gpu"].items()
        for batch, one in some.items()
        if isinstance(one, dict) and "windows_a_s" in one
    }
    best = max(rates, key=lambda name: rates[name])
    return {
        "best": best,
        "windows_a_s": rates[best],
        "a_kept_busy_gpu_pays_if_its_hour_costs_less_than_core_hours": rates[best] / core,
        "cores_that_must_decode_to_keep_it_busy": {
            f"{ms:g} ms an audio second": rates[best] * 8 * ms / 1e3 for ms in (2.0, 2.6, 4.0)
        },
        "gpu_s_for_a_million_notes_of_20_s": 1e6 * 2.6 / rates[best],
        "core_hours_of_the_model_for_a_million_notes_of_20_s": 1e6 * 2.6 / core / 3600,
    }


if __name__ == "__main__":
    sys.exit(main())
