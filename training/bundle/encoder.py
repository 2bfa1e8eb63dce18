"""From an encoder's weights to its graphs in float32 and in static int8, with all that makes int8 cost less."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training.bundle.graph import export_onnx
from training.bundle.int8 import quantise_graph
from training.bundle.shift import OUTPUT, remove_shift
from training.bundle.smoothing import smooth_encoder
from training.nets.backbones.whisper_base import FACTS
from training.nets.shape import FULL, EncoderShape
from training.nets.whisper import PooledEncoder, load_encoder

FLOAT_ENCODER, INT8_ENCODER = "encoder-float32.onnx", "encoder-int8.onnx"


def export_encoder(
    weights: Path,
    calibration: Sequence[NDArray[np.float32]],
    out: Path,
    *,
    shape: EncoderShape = FULL,
) -> tuple[Path, Path]:
    """Write an encoder's graphs from `waveform` to `statistics`, in float32 and in int8.

    Args:
        weights: safetensors, in the naming that `load_encoder` reads.
        calibration: float32 (n_samples,) each, at least one, whose extremes become the ranges of int8.
        out: folder to write.
        shape: that the encoder was tuned in.

    Returns:
        The float32 graph and the int8 one.

    Raises:
        RuntimeError: the weights are of another architecture.
        ValueError: there is no window.
    """
    exact, small = out / FLOAT_ENCODER, out / INT8_ENCODER
    encoder = load_encoder(weights, shape)
    fold_values(smooth_encoder(encoder, calibration))
    export_onnx(encoder, exact, outputs=(OUTPUT,))
    quantise_graph(exact, small, scheme=FACTS.int8, calibration=calibration)
    remove_shift(exact, small, calibration)
    return exact, small


def fold_values(encoder: PooledEncoder) -> PooledEncoder:
    """Move the bias of every layer's values into that of its output, in place, and return it.

    Attention's weights add up to 1, so that it passes a constant on as it is: the encoder stays what it was.
    """
    with torch.no_grad():
        for layer in encoder.layers:
            value, output = (layer.self_attn[name] for name in ("v_proj", "out_proj"))
            output.bias += output.weight @ value.bias
            value.bias = None
    return encoder
