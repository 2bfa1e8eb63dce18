"""Whisper's log-mel as matrix products, by a quarter of the multiplications of its definition."""

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
_MIDDLE = N_FFT // 2
_QUARTER = N_FFT // 4
_N_BEFORE = 2  # Rows of one hop that a frame reaches back from its middle.


class LogMel(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Log-mel frames, in plain ONNX operators.

    A window is symmetric about its middle sample m, and so are cosine and, but for its sign, sine: x[m-i] and x[m+i] meet
    before the product, as sum for the cosines and as difference for the sines. The same again about a quarter: what lies i
    from the middle and what lies i from the edge meet as sum for one half of the frequencies, the even or the odd
    ones, and as difference for the other. That is the same transform by a quarter of the multiplications.
    """

    def __init__(self) -> None:
        super().__init__()
        distance = np.arange(_QUARTER + 1)
        near = 0.5 + 0.5 * np.cos(2 * np.pi * distance / N_FFT)  # Hann at i from the middle ...
        far = 1.0 - near  # ... and at i from the edge.
        near[0] /= 2  # Samples that are in two parts: the middle one, and those a quarter from it.
        near[-1] /= 2
        far[-1] /= 2
        angle = 2 * np.pi * np.outer(distance, np.arange(_MIDDLE + 1)) / N_FFT
        mel = librosa.filters.mel(sr=SAMPLING_RATE_HZ, n_fft=N_FFT, n_mels=N_MELS).T
        held = {"near": near, "far": far}
        for parity, first in (("even", 0), ("odd", 1)):
            held[f"cosines_{parity}"] = np.cos(angle[:, first::2])
            held[f"sines_{parity}"] = np.sin(angle[:, first::2])
            held[f"mel_{parity}"] = mel[first::2]
        for name, values in held.items():
            self.register_buffer(
                name, torch.tensor(np.ascontiguousarray(values), dtype=torch.float32), persistent=False
            )

    def forward(self, waveform: Any, frame_mask: Any) -> Any:
        """Return log-mel frames with every masked frame set to 0.

        Args:
            waveform: float32 (batch, n_samples).
            frame_mask: float32 (batch, n_frames), 1 inside the window and 0 after its end; a frame a hop that was begun.

        Returns:
            float32 (batch, n_frames, 80), about [-1, 1.5].
        """
        near_before, near_after, far_before, far_after = _cut_parts(waveform, frame_mask.shape[1])
        near, far = (near_before + near_after) * self.near, (far_before + far_after) * self.far
        real_even, real_odd = (near + far) @ self.cosines_even, (near - far) @ self.cosines_odd
        near, far = (near_before - near_after) * self.near, (far_before - far_after) * self.far
        imaginary_even, imaginary_odd = (near - far) @ self.sines_even, (near + far) @ self.sines_odd
        even = (real_even * real_even + imaginary_even * imaginary_even) @ self.mel_even
        odd = (real_odd * real_odd + imaginary_odd * imaginary_odd) @ self.mel_odd
        log_mel = torch.log10(torch.clamp(even + odd, min=1e-10))
        mask = frame_mask[:, :, None]
        # Masked frames get the lowest value there is, so that the loudest frame is always a real one.
        audible = log_mel * mask - 10.0 * (1.0 - mask)
        loudest = audible.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(log_mel, loudest - 8.0) + 4.0) / 4.0 * mask


def _cut_parts(waveform: Any, n_frames: Any) -> tuple[Any, Any, Any, Any]:
    """Return 101 samples for every frame from its middle back and from its middle on, and from both edges inwards."""
    n_padding = HOP_SAMPLES * (n_frames + 1) - waveform.shape[1]
    padded = F.pad(waveform, (HOP_SAMPLES * _N_BEFORE, n_padding))
    rows = padded.reshape(waveform.shape[0], n_frames + _N_BEFORE + 1, HOP_SAMPLES)
    backwards = torch.flip(rows, (2,))
    # Frame t has its middle at the first sample of row t + 2.
    first, second, third, fourth = slice(0, -3), slice(1, -2), slice(2, -1), slice(3, None)
    n_edge = _MIDDLE - HOP_SAMPLES  # Samples of a frame in its first row, and in its last but for the edge itself.
    near_before = torch.cat([rows[:, third, :1], backwards[:, second, :_QUARTER]], dim=2)
    near_after = rows[:, third, : _QUARTER + 1]
    far_before = torch.cat([rows[:, first, -n_edge:], rows[:, second, : _QUARTER + 1 - n_edge]], dim=2)
    far_after = torch.cat([backwards[:, fourth, -n_edge - 1 :], backwards[:, third, : _QUARTER - n_edge]], dim=2)
    return near_before, near_after, far_before, far_after
