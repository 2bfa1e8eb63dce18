"""Measure what the machine could do at most: int8 and float32 products in onnxruntime, and a copy of memory, on one core.

The shapes of the products are those of the shipped graph for a window of 8 s; each one's weight in the limit is the share of
the operations that the graph spends on it.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np

from benchmarks.in_turn import spread, time_in_turn
from config.settings import Settings
from tonalog.bundles import default_bundle
from worker.scoring.bundle import load_bundle
from worker.scoring.onnx_runtime import ort
from worker.scoring.scorer import Scorer

WINDOW_SAMPLES = 128_000
COPY_BYTES = 256 * 1024 * 1024
LEAST_S = 0.02
"""A product is repeated until it takes so long, so that the clock's step is no part of it."""


def measure(*, n_turns: int = 15) -> dict[str, Any]:
    """Return GOP/s of int8 and float32 products, GB/s of a copy, and the share of the int8 limit that a window reaches."""
    bundle = load_bundle(default_bundle(Settings()))
    products = count_products(bundle.model_bytes)
    largest = max(products, key=lambda shape: products[shape] * np.prod(shape))
    sessions = {
        "int8": {shape: _open_product(shape, is_int8=True) for shape in products},
        "float32": {largest: _open_product(largest, is_int8=False)},
    }
    runs = {(kind, shape): _repeat(run) for kind, some in sessions.items() for shape, run in some.items()}
    scorer, signal = Scorer(bundle), np.random.default_rng(0).standard_normal(WINDOW_SAMPLES).astype(np.float32) * 0.1
    variants = {name: run for name, (run, _) in runs.items()}
    here, there = np.ones(COPY_BYTES, dtype=np.uint8), np.empty(COPY_BYTES, dtype=np.uint8)
    variants |= {("copy", ()): lambda: np.copyto(there, here), ("window", ()): lambda: scorer.score(signal)}
    times = {name: one.cpu_s for name, one in time_in_turn(variants, n_turns=n_turns).items()}
    rates = {name: 2e-9 * np.prod(name[1]) * n_times / times[name] for name, (_, n_times) in runs.items()}
    giga = {shape: 2e-9 * float(np.prod(shape)) * n_nodes for shape, n_nodes in products.items()}
    limit_s = sum(giga[shape] / rates["int8", shape] for shape in products)
    return {
        "gop_a_window": sum(giga.values()),
        "products": {"x".join(map(str, shape)): n_nodes for shape, n_nodes in products.items()},
        "int8_gop_a_s": {"x".join(map(str, shape)): spread(rates["int8", shape]) for shape in products},
        "int8_gop_a_s_at_the_graph_s_shapes": spread(sum(giga.values()) / limit_s),
        "int8_gop_a_s_best": float(max(rates["int8", shape].max() for shape in products)),
        "float32_gop_a_s": spread(rates["float32", largest]),
        "copy_gb_a_s": spread(2e-9 * COPY_BYTES / times["copy", ()]),
        "window_ms": spread(1e3 * times["window", ()]),
        "limit_ms": spread(1e3 * limit_s),
        "share_of_limit": spread(limit_s / times["window", ()]),
    }


def count_products(graph: bytes) -> Counter[tuple[int, int, int]]:
    """Count a graph's matrix products for one window of 8 s by shape (rows, inner, columns), those of at least 0.1 % of the work.

    A product over several heads counts once for each.
    """
    import onnx  # noqa: PLC0415 - of the extra; the arithmetic below needs none

    model = onnx.load_from_string(graph)
    nodes = [node for node in model.graph.node if node.op_type in {"MatMul", "Gemm"}]
    held = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    names = sorted({name for node in nodes for name in node.input[:2]} - set(held))
    shown = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in shown)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = session.run(names, {"waveform": np.full((1, WINDOW_SAMPLES), 0.1, dtype=np.float32)})
    held |= {name: value.shape for name, value in zip(names, values, strict=True)}
    products: Counter[tuple[int, int, int]] = Counter()
    for node in nodes:
        left, right = held[node.input[0]], held[node.input[1]]
        is_turned = any(one.name == "transB" and one.i for one in node.attribute)
        products[left[-2], left[-1], right[-2] if is_turned else right[-1]] += int(np.prod(left[:-2]))
    least = sum(np.prod(shape) * n for shape, n in products.items()) / 1000
    return Counter({shape: n for shape, n in products.items() if np.prod(shape) * n >= least})


def _open_product(shape: tuple[int, int, int], *, is_int8: bool) -> Any:
    """Build a session of one product: uint8 times int8 to int32, or float32."""
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    weights = rng.integers(-64, 64, (inner, columns)).astype(np.int8 if is_int8 else np.float32)
    left_type, out_type = (TensorProto.UINT8, TensorProto.INT32) if is_int8 else (TensorProto.FLOAT,) * 2
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger" if is_int8 else "MatMul", ["left", "right"], ["out"])],
        "product",
        [helper.make_tensor_value_info("left", left_type, [rows, inner])],
        [helper.make_tensor_value_info("out", out_type, [rows, columns])],
        [numpy_helper.from_array(weights, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    left = rng.integers(0, 128, (rows, inner)).astype(np.uint8 if is_int8 else np.float32)
    return lambda: session.run(None, {"left": left})


def _repeat(run: Any) -> tuple[Any, int]:
    """Return work that takes long enough for the clock, and how many products it is."""
    run()
    before = time.process_time()
    run()
    n_times = max(1, round(LEAST_S / max(time.process_time() - before, 1e-5)))
    return lambda: [run() for _ in range(n_times)], n_times
