"""Write torch modules as ONNX graphs with free batch and length; it holds no model of its own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

OPSET = 17
EXAMPLE_SAMPLES = 40_000


def make_waveform() -> Any:
    """Return a seeded example, float32 (2, 40000), for tracing."""
    return torch.randn(2, EXAMPLE_SAMPLES, generator=torch.Generator().manual_seed(0)) * 0.1


def export_onnx(module: Any, target: Path, *, inputs: str, example: Any, outputs: tuple[str, ...]) -> Path:
    """Export a module of one input; the axes of the input and the batch of the outputs stay free.

    Args:
        module: torch module in evaluation mode.
        target: the .onnx file to write.
        inputs: name of the input.
        example: float32 (batch, n) to trace with.
        outputs: one name an output; each has the batch as its first axis.

    Returns:
        target.
    """
    free = {0: "batch", 1: "n_samples"} if inputs == "waveform" else {0: "batch"}
    axes = {inputs: free} | {name: {0: "batch"} for name in outputs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            str(target),
            input_names=[inputs],
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return target
