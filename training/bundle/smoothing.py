"""Move what is hard to round from activations into weights before int8; the float32 encoder stays what it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.nets.whisper import EncoderLayer, PooledEncoder

STRENGTH = 0.5  # Half of an outlier goes into the weights (Xiao et al. 2023, the value for most models).
MIN_EXTREME = 1e-5
Extremes = dict[Any, Any]  # A linear module to the largest absolute value of each of its inputs.


def smooth_encoder(encoder: PooledEncoder, windows: Iterable[NDArray[np.float32]]) -> PooledEncoder:
    """Even out the inputs of an encoder's products in place, and return it (SmoothQuant, Xiao et al. 2023).

    A range for a whole tensor is as wide as its widest channel, and rounds the others coarsely. Each channel is divided by
    a factor where it is made (a layer norm, or the value projection) and the weights that read it are multiplied by it.

    Args:
        encoder: in evaluation mode.
        windows: float32 (n_samples,) each, at least one; channels are as wide as in these.
    """
    extremes = _measure_extremes(encoder, windows)
    with torch.no_grad():
        for layer in encoder.layers:
            attention = layer.self_attn
            readers = [attention[name] for name in ("q_proj", "k_proj", "v_proj")]
            _move(layer.self_attn_layer_norm, readers, extremes)
            _move(attention["v_proj"], [attention["out_proj"]], extremes)
            _move(layer.final_layer_norm, [layer.fc1], extremes)
    return encoder


def _measure_extremes(encoder: PooledEncoder, windows: Iterable[NDArray[np.float32]]) -> Extremes:
    extremes: Extremes = {}

    def note(module: Any, inputs: tuple[Any, ...]) -> None:
        result = inputs[0].abs().amax(dim=(0, 1))
        extremes[module] = torch.maximum(extremes[module], result) if module in extremes else result

    hooks = [linear.register_forward_pre_hook(note) for layer in encoder.layers for linear in _list_readers(layer)]
    try:
        with torch.inference_mode():
            for window in windows:
                encoder(torch.from_numpy(window)[None])
    finally:
        for hook in hooks:
            hook.remove()
    return extremes


def _list_readers(layer: EncoderLayer) -> list[Any]:
    return [*layer.self_attn.values(), layer.fc1]


def _move(maker: Any, readers: list[Any], extremes: Extremes) -> None:
    """Divide each channel that the maker gives by its factor, and multiply the weights of its readers by it."""
    # Queries of a layer that halves read means of pairs, keys and values the wider frames themselves.
    widest = torch.stack([extremes[reader] for reader in readers]).amax(dim=0).clamp(min=MIN_EXTREME)
    heaviest = torch.stack([reader.weight.abs().amax(dim=0) for reader in readers]).amax(dim=0).clamp(min=MIN_EXTREME)
    factor = widest**STRENGTH / heaviest ** (1.0 - STRENGTH)
    maker.weight.copy_(maker.weight / (factor[:, None] if maker.weight.ndim > 1 else factor))
    maker.bias.copy_(maker.bias / factor)
    for reader in readers:
        reader.weight.copy_(reader.weight * factor)
