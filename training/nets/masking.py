"""Masks for windows that end in exact zeros, and layers whose rows never depend on each other."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

# A score this low leaves exp() exactly 0 in float32, while staying finite for int8 tools.
MASKED_SCORE = -1e9


def measure_length(waveform: Any) -> Any:
    """Return float32 (batch, 1): samples up to the last that is not exactly zero, at least 1.

    Args:
        waveform: float32 (batch, n_samples), under 2**24 samples, so that float32 counts them exactly.
    """
    position = torch.arange(1, waveform.shape[1] + 1, dtype=torch.float32, device=waveform.device)
    ends = (waveform != 0).to(torch.float32) * position
    return torch.clamp(ends.amax(dim=1, keepdim=True), min=1.0)


def count_rows(waveform: Any, n_rows: Any, size: int) -> Any:
    """Return float32 (batch, 1): rows of `size` samples up to the last that holds one that is not exactly zero, at least 1.

    Args:
        waveform: float32 (batch, n_samples).
        n_rows: rows that the samples begin.
        size: of a row, 1 or more.
    """
    padded = F.pad(waveform, (0, size * n_rows - waveform.shape[1]))
    loudest = padded.reshape(waveform.shape[0], n_rows, size).abs().amax(dim=2)
    number = torch.arange(1, n_rows + 1, dtype=torch.float32, device=waveform.device)
    return torch.clamp(((loudest > 0).to(torch.float32) * number).amax(dim=1, keepdim=True), min=1.0)


def count_frames(length: Any, kernel: int, stride: int) -> Any:
    """Return how many whole frames of a convolution without padding fit into each length, at least 1."""
    return torch.clamp(torch.floor((length - kernel) / stride) + 1.0, min=1.0)


def make_mask(n_valid: Any, n_frames: int) -> Any:
    """Return float32 (batch, n_frames): 1 for the first `n_valid` frames of each row, else 0."""
    index = torch.arange(0, n_frames, dtype=torch.float32, device=n_valid.device)
    return (index[None, :] < n_valid).to(torch.float32)


def pool_mean(frames: Any, mask: Any) -> Any:
    """Return the mean over unmasked frames.

    As a matrix product a window: a sum over an axis may take another order when more windows share the batch.

    Args:
        frames: float32 (batch, n_frames, n_features).
        mask: float32 (batch, n_frames) of 0 and 1, at least one 1 a row.

    Returns:
        float32 (batch, n_features).
    """
    return (mask[:, None, :] @ frames)[:, 0] / mask.sum(dim=1, keepdim=True)


def halve_frames(frames: Any, mask: Any) -> Any:
    """Return the means of pairs of frames over what is unmasked of each pair: half the frame rate.

    Args:
        frames: float32 (batch, n_frames, n_features).
        mask: float32 (batch, n_frames), 1 for the first frames of each row, then 0; `mask[:, ::2]` masks the result.

    Returns:
        float32 (batch, ceil(n_frames / 2), n_features). A last frame without a partner stays as it is, and a pair that is
        masked is 0.
    """
    batch, n_frames, n_features = frames.shape
    n_missing = n_frames % 2
    pairs = F.pad(frames * mask[:, :, None], (0, 0, 0, n_missing)).reshape(batch, -1, 2 * n_features)
    counts = F.pad(mask, (0, n_missing)).reshape(batch, -1, 2)
    sums = pairs[:, :, :n_features] + pairs[:, :, n_features:]
    return sums / torch.clamp(counts[:, :, :1] + counts[:, :, 1:], min=1.0)


class RowLinear(nn.Linear):  # type: ignore[misc]  # torch has no types here
    """A linear layer as one matrix product a row.

    One product of the whole batch picks another kernel for one row than for eight, and so other last bits: a score
    would depend on its batch.
    """

    def forward(self, x: Any) -> Any:
        """Return float32 (batch, n_out) of float32 (batch, n_in)."""
        return (self.weight[None] @ x[:, :, None])[:, :, 0] + self.bias
