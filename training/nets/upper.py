"""The tuned part of the model, layers 2 and 3 with their head, on cached frames."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.cached import Encode, Frames
from training.nets.whisper import PooledEncoder, pool_statistics

N_FIXED_LAYERS = 1  # Nothing up to this layer is ever tuned.


class Upper(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Frames after the first layer to emotion logits; its layers are those of the encoder it was made of."""

    def __init__(self, encoder: PooledEncoder, head: Any) -> None:
        super().__init__()
        self.layers = encoder.layers[N_FIXED_LAYERS:]
        self.head = head

    def forward(self, frames: Any, mask: Any) -> Any:
        """Return logits (batch, 4) of frames (batch, n_frames, 512) and their mask of 0 and 1 (batch, n_frames)."""
        for layer in self.layers:
            frames = layer(frames, mask)
        return self.head(pool_statistics(frames.float(), mask))


def split_encoder(encoder: PooledEncoder) -> Encode:
    """Return a function from a signal to its statistics and the frames after the layers that are never tuned."""

    def encode(signal: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
        lower: list[Any] = []
        hook = encoder.layers[N_FIXED_LAYERS - 1].register_forward_hook(lambda _, __, out: lower.append(out))
        try:
            with torch.inference_mode():
                statistics = encoder(torch.from_numpy(signal)[None])
        finally:
            hook.remove()
        return statistics[0].numpy(), lower[0][0].numpy().astype(np.float16)

    return encode


def gather_batch(windows: list[NDArray[np.float16]]) -> tuple[Any, Any]:
    """Return frames float32 (batch, n_frames, 512), zero-padded to the longest, and their mask."""
    longest = max(map(len, windows))
    batch = np.zeros((len(windows), longest, windows[0].shape[1]), dtype=np.float32)
    mask = np.zeros((len(windows), longest), dtype=np.float32)
    for index, window in enumerate(windows):
        batch[index, : len(window)] = window
        mask[index, : len(window)] = 1.0
    return torch.from_numpy(batch), torch.from_numpy(mask)


def compute_logits(net: Upper, frames: Frames, rows: NDArray[np.int64], *, batch_size: int = 16) -> NDArray[np.float64]:
    """Return logits of some windows of a copy, float64 (n_rows, 4), in float32 arithmetic."""
    net.eval()
    logits = np.zeros((len(rows), 4))
    lengths = frames.starts[rows + 1] - frames.starts[rows]
    order = np.argsort(lengths, kind="stable")
    with torch.inference_mode():
        for first in range(0, len(order), batch_size):
            chosen = order[first : first + batch_size]
            logits[chosen] = net(*gather_batch([frames.take(int(row)) for row in rows[chosen]])).double().numpy()
    return logits


def mix_nets(start: Upper, tuned: Upper, *, kept: float) -> Upper:
    """Return a net between two with the same past, in evaluation mode (WiSE-FT, Wortsman et al. 2022).

    Tuning moves a net towards its corpus and away from what it knew of others; half-way keeps most of both.

    Args:
        start: before tuning.
        tuned: after it.
        kept: share of what tuning changed, 0 (start) to 1 (tuned).
    """
    mixed: Upper = copy.deepcopy(tuned)
    before = start.state_dict()
    mixed.load_state_dict(
        {name: (1.0 - kept) * before[name] + kept * value for name, value in tuned.state_dict().items()}
    )
    mixed.eval().requires_grad_(requires_grad=False)
    return mixed
