"""Torch modules as ONNX graphs with free batch and length, parts of them joined, and sessions that run them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import compose

from worker.scoring.onnx_runtime import ort

OPSET = 17
EXAMPLE_SAMPLES = 40_000
WAVEFORM = "waveform"


def make_waveform() -> Any:
    """Return a seeded example, float32 (2, 40000), for tracing."""
    return torch.randn(2, EXAMPLE_SAMPLES, generator=torch.Generator().manual_seed(0)) * 0.1


def export_onnx(module: Any, target: Path, *, inputs: Mapping[str, Any] | None = None, outputs: Sequence[str]) -> Path:
    """Export a module; the batch of all inputs and outputs and the length of the waveform stay free.

    Args:
        module: torch module in evaluation mode.
        target: the .onnx file to write.
        inputs: example of each by its name, float32 (batch, ...); None is one waveform.
        outputs: one name an output; each has the batch as its first axis.

    Returns:
        target.
    """
    examples = {WAVEFORM: make_waveform()} if inputs is None else dict(inputs)
    axes = {name: {0: "batch"} for name in (*examples, *outputs)}
    if WAVEFORM in examples:
        axes[WAVEFORM] = {0: "batch", 1: "n_samples"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(examples.values()),
            str(target),
            input_names=list(examples),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return target


def append_part(
    graph: Path,
    module: Any,
    target: Path,
    *,
    prefix: str,
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> Path:
    """Write a graph with a torch module behind some of its outputs, in whose place are then the module's.

    Args:
        graph: to be continued; it stays as it is.
        module: in evaluation mode.
        target: file to write.
        prefix: of the names of the module's nodes.
        inputs: outputs of the graph that the module takes, with an example of each.
        outputs: names of what it gives.
        keep: inputs that stay outputs of the whole.
        drop: outputs of the graph that nobody takes any more.

    Returns:
        target.
    """
    part = export_onnx(module.eval(), target.with_suffix(f".{prefix}.onnx"), inputs=inputs, outputs=outputs)
    first, second = onnx.load(graph), onnx.load(part)
    kept = [item for item in first.graph.output if item.name in keep]
    for dropped in [item for item in first.graph.output if item.name in drop]:
        first.graph.output.remove(dropped)
    second.ir_version = first.ir_version
    renamed = compose.add_prefix(second, f"{prefix}/", rename_inputs=False, rename_outputs=False)
    joined = compose.merge_models(first, renamed, io_map=[(name, name) for name in inputs])
    added = list(joined.graph.output)
    del joined.graph.output[:]
    joined.graph.output.extend([*kept, *added])
    onnx.checker.check_model(joined)
    target.write_bytes(joined.SerializeToString())
    return target


def open_session(model: Path | bytes, *, threads: int = 1) -> ort.InferenceSession:
    """Open a graph on the CPU with a fixed number of threads, one operator after another."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
