"""Whisper's log-mel as matrix products, half as many as its definition asks for; it holds no trained weight."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SAMPLING_RATE_HZ = 16_000
N_FFT = 400  # Whisper's log-mel: 25 ms windows every 10 ms (openai/whisper, audio.py, MIT).
HOP_SAMPLES = 160
N_MELS = 80
_HALF = N_FFT // 2
_N_BEFORE = -(-_HALF // HOP_SAMPLES)  # Rows of one hop that a frame reaches back, and one less ahead.


class LogMel(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Log-mel frames, in plain ONNX operators.

    A window that is symmetric about its middle sample m lets each pair x[m-i], x[m+i] meet before the product: their sum
    with a cosine, their difference with a sine. That is the same transform by half of the multiplications. Frames
    are put together from rows of one hop, and the samples behind the middle from reversed rows.
    """

    def __init__(self) -> None:
        super().__init__()
        distance = np.arange(_HALF - 1, -1, -1)  # From the middle: 199 samples before it, down to itself.
        hann = 0.5 + 0.5 * np.cos(2 * np.pi * distance / N_FFT)
        hann[-1] /= 2  # The middle sample is in both halves.
        angle = 2 * np.pi * np.outer(distance, np.arange(_HALF + 1)) / N_FFT
        mel = librosa.filters.mel(sr=SAMPLING_RATE_HZ, n_fft=N_FFT, n_mels=N_MELS)
        for name, values in (
            ("cosines", np.cos(angle) * hann[:, None]),
            ("sines", np.sin(angle) * hann[:, None]),
            ("mel", mel.T),
        ):
            held = torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)
            self.register_buffer(name, held, persistent=False)

    def forward(self, waveform: Any, frame_mask: Any) -> Any:
        """Return log-mel frames with every masked frame set to 0.

        Args:
            waveform: float32 (batch, n_samples).
            frame_mask: float32 (batch, n_frames), 1 inside the window and 0 after its end; a frame a hop that was begun.

        Returns:
            float32 (batch, n_frames, 80), about [-1, 1.5].
        """
        before, after = _cut_halves(waveform, frame_mask.shape[1])
        real, imaginary = (before + after) @ self.cosines, (before - after) @ self.sines
        log_mel = torch.log10(torch.clamp((real * real + imaginary * imaginary) @ self.mel, min=1e-10))
        mask = frame_mask[:, :, None]
        # Masked frames get the lowest value there is, so that the loudest frame is always a real one.
        audible = log_mel * mask - 10.0 * (1.0 - mask)
        loudest = audible.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(log_mel, loudest - 8.0) + 4.0) / 4.0 * mask


def _cut_halves(waveform: Any, n_frames: Any) -> tuple[Any, Any]:
    """Return the 200 samples up to each frame's middle, and the 200 from its middle on, last first."""
    n_padding = HOP_SAMPLES * (n_frames + 1) - waveform.shape[1]
    padded = F.pad(waveform, (HOP_SAMPLES * _N_BEFORE, n_padding))
    rows = padded.reshape(waveform.shape[0], n_frames + _N_BEFORE + 1, HOP_SAMPLES)
    # Frame t has its middle at the first sample of row t + 2.
    n_far = _HALF - 1 - HOP_SAMPLES
    before = torch.cat([rows[:, :-3, -n_far:], rows[:, 1:-2], rows[:, 2:-1, :1]], dim=2)
    reversed_rows = torch.flip(rows[:, _N_BEFORE:], (2,))
    after = torch.cat([reversed_rows[:, 1:, -(_HALF - HOP_SAMPLES) :], reversed_rows[:, :-1]], dim=2)
    return before, after
