"""Join a fitted speech gate and the graph that it listens to into one; it fits nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import compose
from torch import nn

from training.bundle.graph import export_onnx
from training.nets.masking import RowLinear

POOLED, SPEECH = "pooled", "speech"


class _Speech(nn.Module):  # type: ignore[misc]  # torch has no types here
    """A fitted head as the probability of speech, row by row, so that no window's neighbours change it."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(_as_rows(layer) for layer in head))

    def forward(self, pooled: Any) -> Any:
        """Return float32 (batch,) of pooled vectors float32 (batch, n_pooled)."""
        return torch.softmax(self.layers(pooled), dim=1)[:, 1]


def _as_rows(layer: Any) -> Any:
    if not isinstance(layer, nn.Linear):
        return layer
    rows = RowLinear(layer.in_features, layer.out_features)
    rows.load_state_dict(layer.state_dict())
    return rows.requires_grad_(requires_grad=False)


def join_gate(graph: Path, head: Any | None, target: Path) -> Path:
    """Write a graph whose `pooled` output a gate has taken, or that has lost it where there is no gate.

    Args:
        graph: with outputs `probabilities` and `pooled`.
        head: fitted, or None.
        target: file to write.

    Returns:
        target.
    """
    model = onnx.load(graph)
    shape = next(one for one in model.graph.output if one.name == POOLED)
    if head is None:
        model.graph.output.remove(shape)
    else:
        model = _merge(model, head, target.with_suffix(".head.onnx"))
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString())
    return target


def _merge(model: Any, head: Any, part: Path) -> Any:
    example = torch.zeros(2, head[0].mean.shape[0])
    export_onnx(_Speech(head).eval(), part, inputs=POOLED, example=example, outputs=(SPEECH,))
    gate = onnx.load(part)
    gate.ir_version = model.ir_version
    renamed = compose.add_prefix(gate, "gate/", rename_inputs=False, rename_outputs=False)
    return compose.merge_models(model, renamed, io_map=[(POOLED, POOLED)])
