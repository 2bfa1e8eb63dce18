"""Assemble the shipped graph from the int8 encoder and fitted heads; it trains nothing and measures nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import compose
from torch import nn

from training.export.graph import export_onnx
from training.whisper3.encoder import N_STATISTICS


class TwoHeads(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Pooled statistics to emotion probabilities, calibrated, and the probability of speech."""

    def __init__(self, emotion: Any, speech: Any, *, temperature: float) -> None:
        """Hold fitted heads.

        Args:
            emotion: head to 4 logits.
            speech: head to 2 logits, non-speech and speech.
            temperature: over 0; the emotion logits are divided by it.
        """
        super().__init__()
        self.emotion = emotion
        self.speech = speech
        self.temperature = temperature

    def forward(self, statistics: Any) -> Any:
        """Return probabilities (batch, 4) and speech (batch,) of statistics float32 (batch, 1024)."""
        probabilities = torch.softmax(self.emotion(statistics) / self.temperature, dim=1)
        return probabilities, torch.softmax(self.speech(statistics), dim=1)[:, 1]


def assemble(encoder: Path, heads: TwoHeads, target: Path) -> Path:
    """Join an exported encoder and fitted heads into one graph.

    Args:
        encoder: graph from `waveform` to `statistics`.
        heads: fitted, in evaluation mode.
        target: file to write.

    Returns:
        target.
    """
    part = target.with_suffix(".heads.onnx")
    example = torch.zeros(2, N_STATISTICS)
    export_onnx(heads.eval(), part, inputs="statistics", example=example, outputs=("probabilities", "speech"))
    first, second = onnx.load(encoder), onnx.load(part)
    second.ir_version = first.ir_version
    renamed = compose.add_prefix(second, "heads/", rename_inputs=False, rename_outputs=False)
    joined = compose.merge_models(first, renamed, io_map=[("statistics", "statistics")])
    onnx.checker.check_model(joined)
    target.write_bytes(joined.SerializeToString())
    return target
