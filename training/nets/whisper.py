"""The frozen front of the model: waveform to pooled Whisper statistics in one graph."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from training.nets.masking import MASKED_SCORE, make_mask, measure_length, pool_mean

SAMPLING_RATE_HZ = 16_000
N_FFT = 400  # Whisper's log-mel: 25 ms windows every 10 ms (openai/whisper, audio.py, MIT).
HOP_SAMPLES = 160
N_MELS = 80
D_MODEL = 512
N_HEADS = 8
N_LAYERS = 3
N_STATISTICS = 2 * D_MODEL
# Smallest positive std: keeps the gradient-free square root away from 0 for a constant window.
MIN_VARIANCE = 1e-7


class LogMel(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Whisper's log-mel written as two convolutions, so that it exports to plain ONNX operators."""

    def __init__(self) -> None:
        super().__init__()
        n_bins = N_FFT // 2 + 1
        angle = 2 * np.pi * np.outer(np.arange(n_bins), np.arange(N_FFT)) / N_FFT
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
        basis = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann
        mel = librosa.filters.mel(sr=SAMPLING_RATE_HZ, n_fft=N_FFT, n_mels=N_MELS)
        self.register_buffer("basis", torch.tensor(basis[:, None, :], dtype=torch.float32))
        self.register_buffer("mel", torch.tensor(mel[:, :, None], dtype=torch.float32))

    def forward(self, waveform: Any, frame_mask: Any) -> Any:
        """Return log-mel frames with every masked frame set to 0.

        Args:
            waveform: float32 (batch, n_samples).
            frame_mask: float32 (batch, 1, n_frames), 1 inside the window and 0 after its end.

        Returns:
            float32 (batch, 80, n_frames), about [-1, 1.5].
        """
        padded = F.pad(waveform[:, None, :], (N_FFT // 2, N_FFT // 2))
        spectrum = F.conv1d(padded, self.basis, stride=HOP_SAMPLES)[:, :, : frame_mask.shape[-1]]
        real, imaginary = spectrum.chunk(2, dim=1)
        power = F.conv1d(real * real + imaginary * imaginary, self.mel)
        log_mel = torch.log10(torch.clamp(power, min=1e-10))
        # Masked frames get the lowest value there is, so that the loudest frame is always a real one.
        audible = log_mel * frame_mask - 10.0 * (1.0 - frame_mask)
        loudest = audible.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(log_mel, loudest - 8.0) + 4.0) / 4.0 * frame_mask


class EncoderLayer(nn.Module):  # type: ignore[misc]  # torch has no types here
    """One pre-norm transformer layer with the parameter names of Hugging Face's WhisperEncoder."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": nn.Linear(D_MODEL, D_MODEL),
                "k_proj": nn.Linear(D_MODEL, D_MODEL, bias=False),
                "v_proj": nn.Linear(D_MODEL, D_MODEL),
                "out_proj": nn.Linear(D_MODEL, D_MODEL),
            }
        )
        self.self_attn_layer_norm = nn.LayerNorm(D_MODEL)
        self.fc1 = nn.Linear(D_MODEL, 4 * D_MODEL)
        self.fc2 = nn.Linear(4 * D_MODEL, D_MODEL)
        self.final_layer_norm = nn.LayerNorm(D_MODEL)

    def attend(self, x: Any, score_bias: Any) -> Any:
        """Return multi-head self-attention of x, written out so that the exported MatMuls stay visible."""
        batch, n_frames, _ = x.shape
        heads = (batch, n_frames, N_HEADS, D_MODEL // N_HEADS)
        query = self.self_attn["q_proj"](x).reshape(heads).transpose(1, 2)
        key = self.self_attn["k_proj"](x).reshape(heads).permute(0, 2, 3, 1)
        value = self.self_attn["v_proj"](x).reshape(heads).transpose(1, 2)
        scores = query @ key / math.sqrt(D_MODEL // N_HEADS) + score_bias
        mixed = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(batch, n_frames, D_MODEL)
        return self.self_attn["out_proj"](mixed)

    def forward(self, x: Any, score_bias: Any) -> Any:
        """Return float32 (batch, n_frames, 512); score_bias (batch, 1, 1, n_frames) hides padded frames."""
        x = x + self.attend(self.self_attn_layer_norm(x), score_bias)
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class PooledEncoder(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Waveform to the mean and standard deviation over time of the third encoder layer."""

    def __init__(self) -> None:
        super().__init__()
        self.log_mel = LogMel()
        self.conv1 = nn.Conv1d(N_MELS, D_MODEL, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(D_MODEL, D_MODEL, kernel_size=3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(1500, D_MODEL)
        self.layers = nn.ModuleList([EncoderLayer() for _ in range(N_LAYERS)])

    def forward(self, waveform: Any) -> Any:
        """Return pooled statistics; trailing exact zeros change nothing.

        Args:
            waveform: float32 (batch, n_samples), 16 kHz, [-1, 1], n_samples <= 30 s.

        Returns:
            float32 (batch, 1024): mean over frames, then standard deviation over frames.
        """
        n_frames = (waveform.shape[1] + HOP_SAMPLES - 1) // HOP_SAMPLES
        starts = measure_length(waveform) / HOP_SAMPLES
        frame_mask = make_mask(starts, n_frames)[:, None, :]
        x = F.gelu(self.conv1(self.log_mel(waveform, frame_mask))) * frame_mask
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        x = x + self.embed_positions.weight[None, : x.shape[1]]
        mask = frame_mask[:, :, ::2]
        score_bias = (1.0 - mask[:, :, None, :]) * MASKED_SCORE
        for layer in self.layers:
            x = layer(x, score_bias)
        return pool_statistics(x, mask[:, 0])


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


def load_encoder(weights: Path) -> PooledEncoder:
    """Load the first three layers of a WhisperEncoder safetensors file, in float32 and evaluation mode.

    Args:
        weights: safetensors file in Hugging Face `WhisperEncoder` naming, half or single precision.

    Raises:
        RuntimeError: a needed tensor is missing or has another shape (raised by torch, names it).
    """
    encoder = PooledEncoder()
    tensors = {name.removeprefix("encoder."): t.float() for name, t in load_file(weights).items()}
    wanted = set(encoder.state_dict()) - {"log_mel.basis", "log_mel.mel"}
    result = {name: t for name, t in tensors.items() if name in wanted}
    encoder.load_state_dict({**encoder.state_dict(), **result})
    if missing := wanted - set(result):
        message = f"{weights} has no tensor {min(missing)}; a Whisper base encoder in Hugging Face naming was expected"
        raise RuntimeError(message)
    encoder.requires_grad_(requires_grad=False)
    encoder.eval()
    return encoder
