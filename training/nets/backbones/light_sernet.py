"""LIGHT-SERNET: MFCC and a fully convolutional net of 0.4 M parameters, trained from scratch; it takes no pretrained weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from training.nets.backbones.base import Facts, Int8Scheme
from training.nets.masking import RowLinear, count_frames, make_mask, measure_length

SAMPLING_RATE_HZ = 16_000
# Front end of Aftab et al. 2022: 64 ms Hann windows every 16 ms, 128 mel bands in 80-7600 Hz, 40 coefficients.
FRAME_SAMPLES, HOP_SAMPLES = 1024, 256
N_MELS, N_MFCC = 128, 40
MEL_HZ = (80.0, 7600.0)
MIN_MAGNITUDE, MAX_MFCC = 1e-12, 10.0
DROPOUT = 0.3


class Mfcc(nn.Module):  # type: ignore[misc]  # torch has no types here
    """MFCC as convolutions with fixed weights, so that they live inside the exported graph."""

    def __init__(self) -> None:
        super().__init__()
        n_bins = FRAME_SAMPLES // 2 + 1
        angle = 2 * np.pi * np.outer(np.arange(n_bins), np.arange(FRAME_SAMPLES)) / FRAME_SAMPLES
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)
        basis = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann
        mel = librosa.filters.mel(
            sr=SAMPLING_RATE_HZ,
            n_fft=FRAME_SAMPLES,
            n_mels=N_MELS,
            fmin=MEL_HZ[0],
            fmax=MEL_HZ[1],
            htk=True,
            norm=None,
        )
        cosine = np.cos(np.pi / N_MELS * np.outer(np.arange(N_MFCC), np.arange(N_MELS) + 0.5)) * np.sqrt(2 / N_MELS)
        for name, array in (("basis", basis[:, None, :]), ("mel", mel[:, :, None]), ("cosine", cosine[:, :, None])):
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32), persistent=False)

    def forward(self, waveform: Any) -> Any:
        """Return float32 (batch, n_frames, 40) in [-10, 10] of waveform float32 (batch, n_samples)."""
        padded = F.pad(waveform[:, None, :], (0, FRAME_SAMPLES - 1))
        real, imaginary = F.conv1d(padded, self.basis, stride=HOP_SAMPLES).chunk(2, dim=1)
        magnitude = F.conv1d(torch.sqrt(real * real + imaginary * imaginary), self.mel)
        mfcc = F.conv1d(torch.log(torch.clamp(magnitude, min=MIN_MAGNITUDE)), self.cosine)
        return torch.clamp(mfcc, -MAX_MFCC, MAX_MFCC).transpose(1, 2)


class MaskedBlock(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Convolution that keeps the size, batch norm, ReLU, and average pooling that counts unmasked frames only."""

    def __init__(self, n_in: int, n_out: int, kernel: tuple[int, int], *, pool: tuple[int, int]) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Conv2d(n_in, n_out, kernel, padding=padding, bias=False)
        self.norm = nn.BatchNorm2d(n_out)
        self.pool = pool

    def forward(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """Return the features, zero where masked, and their mask.

        Args:
            x: float32 (batch, n_in, n_frames, n_coefficients), zero where masked.
            mask: float32 (batch, 1, n_frames, 1).
        """
        x = F.relu(self.norm(self.conv(x))) * mask
        if self.pool == (1, 1):
            return x, mask
        # One zero frame more makes an odd number of frames even; the share of real frames puts the mean right again.
        share = F.avg_pool2d(F.pad(mask, (0, 0, 0, 1)), (2, 1))
        x = F.avg_pool2d(F.pad(x, (0, 0, 0, 1)), self.pool) / torch.clamp(share, min=0.5)
        return x, (share > 0).to(torch.float32)


class SerNet(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Three parallel paths over time, coefficients and both, then five convolutions and a masked mean."""

    def __init__(self, n_labels: int) -> None:
        super().__init__()
        self.mfcc = Mfcc()
        self.paths = nn.ModuleList(MaskedBlock(1, 32, kernel, pool=(2, 2)) for kernel in ((11, 1), (1, 9), (3, 3)))
        sizes = ((96, 64, (2, 2)), (64, 96, (2, 2)), (96, 128, (2, 1)), (128, 160, (2, 1)))
        self.body = nn.ModuleList(MaskedBlock(n_in, n_out, (3, 3), pool=pool) for n_in, n_out, pool in sizes)
        self.last = MaskedBlock(160, 320, (1, 1), pool=(1, 1))
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = RowLinear(320, n_labels)

    def pool(self, waveform: Any) -> Any:
        """Return one vector a window, float32 (batch, 320), of waveform float32 (batch, n_samples)."""
        mfcc = self.mfcc(waveform)
        n_valid = count_frames(measure_length(waveform), FRAME_SAMPLES, HOP_SAMPLES)
        mask = make_mask(n_valid, mfcc.shape[1])[:, None, :, None]
        x = mfcc[:, None] * mask
        branches = [path(x, mask) for path in self.paths]
        x, mask = torch.cat([features for features, _ in branches], dim=1), branches[0][1]
        for block in (*self.body, self.last):
            x, mask = block(x, mask)
        return x.sum(dim=(2, 3)) / (mask.sum(dim=(2, 3)) * x.shape[3])

    def classify(self, pooled: Any) -> Any:
        """Return logits float32 (batch, n_labels) of what `pool` gave."""
        return self.classifier(self.dropout(pooled))

    def forward(self, waveform: Any) -> Any:
        """Return logits float32 (batch, n_labels) of waveform float32 (batch, n_samples)."""
        return self.classify(self.pool(waveform))


FACTS = Facts(
    name="light-sernet",
    source="Aftab et al. 2022, ICASSP",
    licence="Apache-2.0",
    frozen=(),
    export_notes="MFCC are fixed convolutions inside the graph; batch norms are folded when it is optimised.",
    int8=Int8Scheme(
        op_types=("Conv",),
        keep_float=("mfcc/Conv",),
        text="static QDQ U8S8 per channel, 7-bit weights; Conv, MFCC and classifier in float32",
    ),
)


@dataclass(frozen=True)
class LightSerNet:
    """See `training.nets.backbones.base.Backbone`."""

    facts: Facts = FACTS

    def build(self, n_labels: int, *, pretrained: Path | str | None) -> Any:
        """Return the module.

        Raises:
            ValueError: pretrained weights are given; it is trained from scratch.
        """
        if pretrained is not None:
            raise ValueError(f"pretrained is {pretrained}, allowed is none: light-sernet is trained from scratch")
        # The order that the CPU's convolutions work in: a training step takes a fifth less (24 November 2026).
        return SerNet(n_labels).to(memory_format=torch.channels_last)


BACKBONE = LightSerNet()
