"""What every backbone offers: a trainable graph from waveform to logits and how it becomes int8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

ALLOWED_OPS = (("MatMul",), ("Conv",), ("Conv", "MatMul"))


@dataclass(frozen=True)
class Int8Scheme:
    """Which operators become static U8S8, and which stay float32; `training.bundle.int8` says what is promised of them.

    Never `quantize_dynamic` on Conv and never S8S8: both are slower than float32 on x86 (measured 22 November 2026).

    Attributes:
        op_types: ONNX operators with constant weights that are quantised, Conv and MatMul, or MatMul alone.
        keep_float: nodes whose name holds one of these stay float32, such as a front end of fixed filters.
        text: one line for the manifest.
        min_weights: MatMul alone: products with fewer constant weights stay float32, 1 and more.
    """

    op_types: tuple[str, ...]
    keep_float: tuple[str, ...]
    text: str
    min_weights: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be kept.

        Raises:
            ValueError: operators, or parts that no writer for them knows.
        """
        if self.op_types not in ALLOWED_OPS:
            raise ValueError(f"op_types is {self.op_types}, allowed are {ALLOWED_OPS}")
        if self.op_types == ("MatMul",) and self.keep_float:
            raise ValueError(f"keep_float is {self.keep_float} with MatMul alone, allowed is min_weights there")
        if self.op_types != ("MatMul",) and self.min_weights != 1:
            raise ValueError(f"min_weights is {self.min_weights} with {self.op_types}, allowed is keep_float there")


@dataclass(frozen=True)
class Facts:
    """What is known of a backbone without building it.

    Attributes:
        name: as the command line takes it.
        source: the publication and the name of the pretrained weights.
        licence: of the pretrained weights, or of the code where it trains from scratch.
        frozen: prefixes of the names of parameters that are not trained.
        export_notes: what a reader of the graph should know.
        int8: how the graph is quantised.
    """

    name: str
    source: str
    licence: str
    frozen: tuple[str, ...]
    export_notes: str
    int8: Int8Scheme


class Backbone(Protocol):
    """One system that can be trained, exported and scored like any other."""

    @property
    def facts(self) -> Facts:
        """What is known of it without building it."""
        ...

    def build(self, n_labels: int, *, pretrained: Path | str | None) -> Any:
        """Return a torch module of waveform float32 (batch, n_samples), 16 kHz, to logits float32 (batch, n_labels).

        Trailing exact zeros of a row are masked: they change nothing beyond rounding. The module has two halves,
        `pool` from the waveform to one vector a window, float32 (batch, n_pooled), and `classify` from there to the
        logits: the speech gate of an export listens to the first.

        Args:
            n_labels: number of classes, 2 or more.
            pretrained: where the weights are; None starts from seeded chance (`torch.manual_seed` before the call).

        Raises:
            ValueError: the backbone has no pretrained weights, or these are of another architecture.
            OSError: the weights cannot be read.
        """
        ...


def freeze(net: Any, frozen: tuple[str, ...]) -> int:
    """Stop the training of every parameter whose name begins with one of the prefixes.

    Returns:
        How many values stay trainable.

    Raises:
        ValueError: a prefix names no parameter.
    """
    names = [name for name, _ in net.named_parameters()]
    for prefix in frozen:
        if not any(name.startswith(prefix) for name in names):
            raise ValueError(f"no parameter begins with {prefix!r}, allowed are {sorted(names)[:5]} and others")
    n_trainable = 0
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(requires_grad=not name.startswith(frozen) if frozen else True)
        n_trainable += parameter.numel() if parameter.requires_grad else 0
    return n_trainable
