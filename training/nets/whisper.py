"""The frozen front of the model: waveform to pooled Whisper statistics in one graph."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from training.nets.log_mel import HOP_SAMPLES, N_MELS, LogMel
from training.nets.masking import MASKED_SCORE, count_rows, halve_frames, make_mask, pool_mean
from training.nets.shape import FULL, EncoderShape, Halving

D_MODEL = 512
N_HEADS = 8
N_LAYERS = 3
N_HIDDEN = 4 * D_MODEL
N_STATISTICS = 2 * D_MODEL
# Smallest positive std: keeps the gradient-free square root away from 0 for a constant window.
MIN_VARIANCE = 1e-7
POSITIONS = "embed_positions.weight"


class EncoderLayer(nn.Module):  # type: ignore[misc]  # torch has no types here
    """One pre-norm transformer layer with the parameter names of Hugging Face's WhisperEncoder."""

    def __init__(self, *, halving: Halving = "never") -> None:
        super().__init__()
        self.halving = halving
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": nn.Linear(D_MODEL, D_MODEL),
                "k_proj": nn.Linear(D_MODEL, D_MODEL, bias=False),
                "v_proj": nn.Linear(D_MODEL, D_MODEL),
                "out_proj": nn.Linear(D_MODEL, D_MODEL),
            }
        )
        self.self_attn_layer_norm = nn.LayerNorm(D_MODEL)
        self.fc1 = nn.Linear(D_MODEL, N_HIDDEN)
        self.fc2 = nn.Linear(N_HIDDEN, D_MODEL)
        self.final_layer_norm = nn.LayerNorm(D_MODEL)

    def attend(self, asking: Any, x: Any, mask: Any) -> Any:
        """Return multi-head attention of frames to x, written out so that the exported MatMuls stay visible.

        Args:
            asking: float32 (batch, n_asking, 512), whose queries are answered.
            x: float32 (batch, n_frames, 512), that keys and values are made of.
            mask: float32 (batch, n_frames), 0 hides a frame of x.
        """
        batch, n_frames, _ = x.shape
        n_asking, size = asking.shape[1], D_MODEL // N_HEADS
        query = self.self_attn["q_proj"](asking).reshape(batch, n_asking, N_HEADS, size).transpose(1, 2)
        key = self.self_attn["k_proj"](x).reshape(batch, n_frames, N_HEADS, size).permute(0, 2, 3, 1)
        value = self.self_attn["v_proj"](x).reshape(batch, n_frames, N_HEADS, size).transpose(1, 2)
        scores = query @ key / math.sqrt(size) + (1.0 - mask[:, None, None, :]) * MASKED_SCORE
        mixed = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(batch, n_asking, D_MODEL)
        return self.self_attn["out_proj"](mixed)

    def forward(self, x: Any, mask: Any) -> Any:
        """Return float32 (batch, n_frames, 512), or half as many frames where the layer halves them.

        Args:
            x: float32 (batch, n_frames, 512).
            mask: float32 (batch, n_frames) of 0 and 1, 0 hides a frame.
        """
        normal = self.self_attn_layer_norm(x)
        asking = normal
        if self.halving == "first_queries":
            asking, x = halve_frames(normal, mask), halve_frames(x, mask)
        x = x + self.attend(asking, normal, mask)
        x = x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        return halve_frames(x, mask) if self.halving == "first_output" else x


class PooledEncoder(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Waveform to the mean and standard deviation over time of the third encoder layer."""

    def __init__(self, shape: EncoderShape = FULL) -> None:
        """Make an encoder of that shape, from chance."""
        super().__init__()
        self.log_mel = LogMel()
        self.conv1 = nn.Conv1d(N_MELS, D_MODEL, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(D_MODEL, D_MODEL, kernel_size=3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(shape.n_positions, D_MODEL)
        rest = (EncoderLayer() for _ in range(N_LAYERS - 1))
        self.layers = nn.ModuleList([EncoderLayer(halving=shape.halving), *rest])

    def forward(self, waveform: Any) -> Any:
        """Return pooled statistics; trailing exact zeros change nothing.

        Args:
            waveform: float32 (batch, n_samples), 16 kHz, [-1, 1], at most 320 samples a position.

        Returns:
            float32 (batch, 1024): mean over frames, then standard deviation over frames.
        """
        n_frames = (waveform.shape[1] + HOP_SAMPLES - 1) // HOP_SAMPLES
        frame_mask = make_mask(count_rows(waveform, n_frames, HOP_SAMPLES), n_frames)
        x = self._convolve(self.log_mel(waveform, frame_mask), frame_mask)
        x = x + self.embed_positions.weight[None, : x.shape[1]]
        mask = frame_mask[:, ::2]
        for layer in self.layers:
            x = layer(x, mask)
            mask = mask if layer.halving == "never" else mask[:, ::2]
        return pool_statistics(x, mask)

    def _convolve(self, log_mel: Any, frame_mask: Any) -> Any:
        """Run both convolutions as products by a constant matrix: the quantiser takes those, and they are quicker."""
        padded = F.pad(log_mel, (0, 0, 1, 1))
        near = torch.cat([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], dim=2)
        x = F.gelu(_multiply(near, self.conv1)) * frame_mask[:, :, None]
        batch, n_frames, _ = x.shape
        # The stride is two: pairs of frames, of which the one before gives its second half.
        pairs = F.pad(x, (0, 0, 2, n_frames % 2)).reshape(batch, -1, 2 * D_MODEL)
        return F.gelu(_multiply(torch.cat([pairs[:, :-1, D_MODEL:], pairs[:, 1:]], dim=2), self.conv2))


def _multiply(near: Any, convolution: Any) -> Any:
    """Apply a convolution to frames that are already side by side, (batch, n_frames, kernel * n_in)."""
    n_near = convolution.kernel_size[0] * convolution.in_channels
    # In plain numbers, so that the export folds it into one constant matrix.
    weight = convolution.weight.permute(2, 1, 0).reshape(n_near, convolution.out_channels)
    return near @ weight + convolution.bias


def pool_statistics(frames: Any, mask: Any) -> Any:
    """Return the masked mean and population standard deviation over time.

    Args:
        frames: float32 (batch, n_frames, n_features).
        mask: float32 (batch, n_frames) of 0 and 1, at least one 1 a row.

    Returns:
        float32 (batch, 2 * n_features).
    """
    mean = pool_mean(frames, mask)
    deviation = frames - mean[:, None, :]
    variance = pool_mean(deviation * deviation, mask)
    return torch.cat([mean, torch.sqrt(variance + MIN_VARIANCE)], dim=1)


def load_encoder(weights: Path, shape: EncoderShape = FULL) -> PooledEncoder:
    """Load the first three layers of a WhisperEncoder safetensors file, in float32 and evaluation mode.

    Args:
        weights: safetensors file in Hugging Face `WhisperEncoder` naming, half or single precision.
        shape: of the encoder.

    Raises:
        RuntimeError: a needed tensor is missing or has another shape (raised by torch, names it).
    """
    tensors = {name.removeprefix("encoder."): t.float() for name, t in load_file(weights).items()}
    encoder = PooledEncoder(shape)
    wanted = set(encoder.state_dict())
    result = {name: t for name, t in tensors.items() if name in wanted}
    if POSITIONS in result:
        result[POSITIONS] = result[POSITIONS][: shape.n_positions]
    encoder.load_state_dict({**encoder.state_dict(), **result})
    if missing := wanted - set(result):
        message = f"{weights} has no tensor {min(missing)}; a Whisper base encoder in Hugging Face naming was expected"
        raise RuntimeError(message)
    encoder.requires_grad_(requires_grad=False)
    encoder.eval()
    return encoder
