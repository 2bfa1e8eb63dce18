"""Make an encoder's layers narrower inside: leave out the hidden units that move its frames least; it tunes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.nets.whisper import EncoderLayer, PooledEncoder


def prune_encoder(
    encoder: PooledEncoder, windows: Iterable[NDArray[np.float32]], *, widths: Sequence[int]
) -> PooledEncoder:
    """Leave out hidden units of an encoder's layers in place, and return it.

    What a unit that goes adds to its layer's frames on average stays, as part of the bias. Layers are measured as they
    were, all at once. Frames change the more, the more units go; tune what may be tuned afterwards.

    Args:
        encoder: in evaluation mode.
        windows: float32 (n_samples,) each, at least one, at their natural length; units count as they answer to these.
        widths: hidden units that each layer keeps, 1 to as many as it has.

    Raises:
        ValueError: there is no window, or a width is out of range.
    """
    has = [layer.fc1.out_features for layer in encoder.layers]
    if len(widths) != len(has) or any(not 1 <= width <= most for width, most in zip(widths, has, strict=True)):
        raise ValueError(f"widths are {[*widths]}, allowed are {len(has)} of 1 to {has}")
    moments = _measure_units(encoder, windows)
    with torch.no_grad():
        for layer, width, (size, mean) in zip(encoder.layers, widths, moments, strict=True):
            kept = choose_units(size, layer.fc2.weight.numpy(), width)
            _cut_layer(layer, torch.from_numpy(kept), torch.from_numpy(mean).float())
    return encoder


def choose_units(size: NDArray[np.float64], outgoing: NDArray[np.float32], n_kept: int) -> NDArray[np.int64]:
    """Return which units to keep, in rising order: those whose answers times their weights are largest.

    Args:
        size: float64 (n_units,), mean absolute activation.
        outgoing: float32 (n_out, n_units), weights that read the units.
        n_kept: 1 to n_units.

    >>> choose_units(np.array([1.0, 9.0, 2.0]), np.array([[3.0, 0.0, 2.0]]), 2).tolist()
    [0, 2]
    """
    effect = size * np.linalg.norm(outgoing.astype(np.float64), axis=0)
    return np.sort(np.argsort(-effect, kind="stable")[:n_kept])


def _measure_units(
    encoder: PooledEncoder, windows: Iterable[NDArray[np.float32]]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the mean absolute activation and the mean of every unit, a pair a layer."""
    sums: dict[Any, list[NDArray[np.float64]]] = {layer.fc2: [] for layer in encoder.layers}
    n_frames: dict[Any, int] = dict.fromkeys(sums, 0)

    def note(module: Any, inputs: tuple[Any, ...]) -> None:
        units = inputs[0][0].double()
        found = np.stack([units.abs().sum(dim=0).numpy(), units.sum(dim=0).numpy()])
        sums[module] = [found + sums[module][0]] if sums[module] else [found]
        n_frames[module] += len(units)

    hooks = [module.register_forward_pre_hook(note) for module in sums]
    try:
        with torch.inference_mode():
            for window in windows:
                encoder(torch.from_numpy(window)[None])
    finally:
        for hook in hooks:
            hook.remove()
    if not all(n_frames.values()):
        raise ValueError("0 windows, allowed are 1 and more")
    return [(held[0][0] / n_frames[module], held[0][1] / n_frames[module]) for module, held in sums.items()]


def _cut_layer(layer: EncoderLayer, kept: Any, mean: Any) -> None:
    gone = torch.ones(layer.fc1.out_features, dtype=torch.bool)
    gone[kept] = False
    outgoing = layer.fc2.weight
    bias = layer.fc2.bias + outgoing[:, gone] @ mean[gone]
    incoming, shift = layer.fc1.weight[kept], layer.fc1.bias[kept]
    is_trained = outgoing.requires_grad
    for linear, weight, added in ((layer.fc1, incoming, shift), (layer.fc2, outgoing[:, kept], bias)):
        linear.weight = torch.nn.Parameter(weight.clone(), requires_grad=is_trained)
        linear.bias = torch.nn.Parameter(added.clone(), requires_grad=is_trained)
    layer.fc1.out_features = layer.fc2.in_features = len(kept)
