"""Compare engines for the shipped graph: onnxruntime as serving runs it, its usual other forms, and OpenVINO where it is installed.

The float32 form is the shipped file with every int8 weight multiplied out, so that all forms are one model. A pinned core,
one thread, in turn. `python -m benchmarks.engine` prints the figures.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from benchmarks.in_turn import describe_times, pin_to_one_core, ratio_in_turn, spread, time_in_turn
from benchmarks.limits import count_products
from benchmarks.protocol import print_protocol
from config.settings import Settings
from tonalog.bundles import default_bundle
from training.bundle.quantization import quantize_dynamic
from worker.audio.decode import iter_blocks
from worker.audio.errors import AudioError
from worker.scoring.bundle import Bundle, load_bundle
from worker.scoring.onnx_runtime import ort
from worker.scoring.scorer import Scorer
from worker.scoring.session import INPUT, build_session

OURS, FLOAT32, DYNAMIC = "Tonalog", "onnxruntime, float32", "onnxruntime, quantize_dynamic in one line"
OPENVINO = {
    "OpenVINO, float32 beside int8": ("f32", True),
    "OpenVINO, bfloat16 beside int8": ("bf16", True),
    "OpenVINO, float32, any length": ("f32", False),
    "OpenVINO, bfloat16, any length": ("bf16", False),
}
"""Name to precision of what is not int8, and whether the graph is compiled for 8 s alone."""
RATE_HZ = 16_000
WINDOW_SAMPLES = 8 * RATE_HZ
LENGTHS_S = (1.1, 1.7, 2.3, 3.1, 4.9, 6.4, 8.0)
OLD_STEP_SAMPLES = 2 * RATE_HZ
NOTES = Path(__file__).resolve().parents[1] / "examples" / "notes"
GEMM = (512, 512, 512)

Signal = NDArray[np.float32]
Run = Callable[[Signal], NDArray[np.float32]]


def measure(*, n_turns: int = 15, n_windows: int = 6) -> dict[str, Any]:
    """Return ms a window of 8 s of each form, how many times ours that is, and how far its scores are from ours.

    Also what a window of each length costs, against the shapes of 2, 4, 6 and 8 s that releases before 0.9 had; and the
    share of the int8 limit, by a product of 512 x 512 x 512 (`benchmarks.limits` has it by the graph's own shapes).
    """
    bundle = load_bundle(default_bundle(Settings()))
    windows = _read_windows(n_windows)
    forms = build_forms(bundle)
    product, gop = _open_product()
    work: dict[str, Callable[[], object]] = {name: _bind(run, windows[0]) for name, run in forms.items()}
    times = time_in_turn({**work, "product": product}, n_turns=n_turns)
    limit = gop / times["product"].cpu_s
    graph_gop = 2e-9 * sum(float(np.prod(shape)) * n for shape, n in count_products(bundle.model_bytes).items())
    shares = graph_gop / limit / times[OURS].cpu_s
    ratios = {name: ratio_in_turn(times[name], times[OURS]) for name in forms if name != OURS}
    return {
        "unit": "ms a window of 8 s",
        "variants": {name: describe_times(times[name]) for name in forms},
        "ratios": ratios,
        "ratio_model": ratios[DYNAMIC]["median"],
        "max_score_change": {name: _compare(forms[OURS], run, windows) for name, run in forms.items() if name != OURS},
        "graph_gop": graph_gop,
        "int8_gop_a_s": spread(limit),
        "share_of_limit": float(np.median(shares)),
        "lengths": _measure_lengths(bundle, windows[0][0], n_turns),
    }


def build_forms(bundle: Bundle) -> dict[str, Run]:
    """Return a function from waveform (1, n_samples) to probabilities (4,) for each form of the graph."""
    with tempfile.TemporaryDirectory() as folder:
        exact, small = Path(folder) / "float32.onnx", Path(folder) / "dynamic.onnx"
        exact.write_bytes(multiply_out(bundle.model_bytes))
        quantize_dynamic(exact, small)
        forms = {OURS: _run_of(build_session(bundle, 1))}
        forms |= {FLOAT32: _run_of(_open(exact)), DYNAMIC: _run_of(_open(small))}
        return forms | _build_openvino(bundle.folder / "model.onnx")


def multiply_out(model_bytes: bytes) -> bytes:
    """Return a static int8 graph in float32: weights times their scales, activations as they are."""
    model = onnx.load_from_string(model_bytes)
    held = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    renamed: dict[str, str] = {}
    for node in [node for node in model.graph.node if node.op_type == "DequantizeLinear"]:
        if node.input[0] in held:
            values, scale = (numpy_helper.to_array(held[name]) for name in node.input[:2])
            model.graph.initializer.append(numpy_helper.from_array((values * scale).astype(np.float32), node.output[0]))
        else:
            renamed[node.output[0]] = makers[node.input[0]].input[0]
    kept = [node for node in model.graph.node if node.op_type not in {"QuantizeLinear", "DequantizeLinear"}]
    for node in kept:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    needed = {name for node in kept for name in node.input}
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)
    del model.opset_import[1:]  # two parts were joined, each names the one domain, and quantize_dynamic wants it once
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _measure_lengths(bundle: Bundle, signal: Signal, n_turns: int) -> dict[str, Any]:
    """Return ms of a window by its length, and what it costs of one that is padded to 2, 4, 6 or 8 s."""
    scorer, session = Scorer(bundle), _run_of(build_session(bundle, 1))
    work: dict[tuple[float, str], Callable[[], object]] = {}
    for length_s in LENGTHS_S:
        cut = signal[: int(length_s * RATE_HZ)]
        padded = _pad(cut, -(-len(cut) // OLD_STEP_SAMPLES) * OLD_STEP_SAMPLES)
        work[length_s, "now"], work[length_s, "padded"] = _bind(scorer.score, cut), _bind(session, padded)
    times = time_in_turn({f"{length} {kind}": run for (length, kind), run in work.items()}, n_turns=n_turns)
    return {
        f"{length} s": {
            **describe_times(times[f"{length} now"]),
            "share_of_padded": ratio_in_turn(times[f"{length} now"], times[f"{length} padded"]),
        }
        for length in LENGTHS_S
    }


def _build_openvino(path: Path) -> dict[str, Run]:
    """Return OpenVINO with one thread in its forms; nothing where it is not installed."""
    try:
        openvino = importlib.import_module("openvino")
    except ModuleNotFoundError:
        return {}
    core, forms = openvino.Core(), {}
    for name, (precision, is_fixed) in OPENVINO.items():
        model = core.read_model(path)
        if is_fixed:
            model.reshape({INPUT: [1, WINDOW_SAMPLES]})
        hints = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
        request = core.compile_model(model, "CPU", hints).create_infer_request()
        forms[name] = _run_openvino(request)
    return forms


def _run_openvino(request: Any) -> Run:
    return lambda waveform: np.array(request.infer({0: waveform})["probabilities"][0])


def _run_of(session: ort.InferenceSession) -> Run:
    return lambda waveform: np.asarray(session.run(["probabilities"], {INPUT: waveform})[0][0])


def _open(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _open_product() -> tuple[Callable[[], object], float]:
    """Return a run of int8 products that takes some ms, and how many 1e9 operations it is."""
    rows, inner, columns = GEMM
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.integers(-64, 65, (inner, columns)).astype(np.int8), "weight")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMulInteger", ["left", "weight"], ["out"])],
        "product",
        [value("left", onnx.TensorProto.UINT8, [rows, inner])],
        [value("out", onnx.TensorProto.INT32, [rows, columns])],
        [weight],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    left, n_times = rng.integers(0, 256, (rows, inner)).astype(np.uint8), 20
    return lambda: [session.run(None, {"left": left}) for _ in range(n_times)], 2e-9 * float(np.prod(GEMM)) * n_times


def _bind(run: Callable[[Any], object], value: Any) -> Callable[[], object]:
    return lambda: run(value)


def _compare(ours: Run, theirs: Run, windows: list[Signal]) -> float:
    return float(max(np.abs(ours(window) - theirs(window)).max() for window in windows))


def _read_windows(n_windows: int) -> list[Signal]:
    """Return the first 8 s of example notes; some are there to be refused."""
    windows: list[Signal] = []
    for path in sorted(NOTES.rglob("*.ogg")):
        with path.open("rb") as file, suppress(AudioError):
            windows.append(_pad(np.concatenate(list(iter_blocks(file)))[:WINDOW_SAMPLES], WINDOW_SAMPLES))
    return windows[:n_windows]


def _pad(signal: Signal, n_samples: int) -> Signal:
    waveform = np.zeros((1, n_samples), dtype=np.float32)
    waveform[0, : len(signal)] = signal
    return waveform


def main() -> None:
    """Print the figures."""
    core = pin_to_one_core()
    print_protocol(f"one window of 8 s on core {core}, one thread", order="in turn, every other turn backwards")
    _print(measure())


def _print(figures: Mapping[str, Any], depth: int = 0) -> None:
    for name, value in figures.items():
        if isinstance(value, Mapping) and "median" not in value:
            print(f"{'  ' * depth}{name}")
            _print(value, depth + 1)
        else:
            print(f"{'  ' * depth}{name:48} {value['median'] if isinstance(value, Mapping) else value}")


if __name__ == "__main__":
    main()
