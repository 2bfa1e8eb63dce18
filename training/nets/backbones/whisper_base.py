"""The first three layers of Whisper's base encoder, frozen, with a small head; the default model's system."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from training.nets.backbones.base import Facts, Int8Scheme
from training.nets.masking import RowLinear
from training.nets.whisper import N_STATISTICS, PooledEncoder, load_encoder

DROPOUT = (0.2, 0.4)


class PooledWhisper(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Pooled statistics, standardised by running moments, then 1024-256-n with GELU."""

    def __init__(self, encoder: PooledEncoder, n_labels: int, *, n_hidden: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            # Without it a few large statistics drown the others: measured 0.81 against 0.83 UA.
            nn.BatchNorm1d(N_STATISTICS, affine=False),
            nn.LayerNorm(N_STATISTICS),
            nn.Dropout(DROPOUT[0]),
            RowLinear(N_STATISTICS, n_hidden),
            nn.GELU(),
            nn.Dropout(DROPOUT[1]),
            RowLinear(n_hidden, n_labels),
        )

    def pool(self, waveform: Any) -> Any:
        """Return one vector a window, float32 (batch, 1024), of waveform float32 (batch, n_samples)."""
        return self.encoder(waveform)

    def classify(self, pooled: Any) -> Any:
        """Return logits float32 (batch, n_labels) of what `pool` gave."""
        return self.head(pooled)

    def forward(self, waveform: Any) -> Any:
        """Return logits float32 (batch, n_labels) of waveform float32 (batch, n_samples)."""
        return self.classify(self.pool(waveform))


FACTS = Facts(
    name="whisper-base",
    source="Radford et al. 2022, openai/whisper-base, first 3 encoder layers",
    licence="MIT",
    frozen=("encoder.",),
    export_notes="Log-mel and convolutions are matrix products inside the graph; mean and deviation over unmasked frames.",
    int8=Int8Scheme(
        op_types=("MatMul",),
        keep_float=(),
        # From the first convolution's up. Smaller products (log-mel) stay float32, and so do the heads' (`RowLinear`).
        min_weights=3 * 80 * 512,
        text="static QDQ U8S8 per output channel, 7-bit weights, encoder MatMul only",
    ),
)


@dataclass(frozen=True)
class WhisperBase:
    """See `training.nets.backbones.base.Backbone`.

    Attributes:
        n_hidden: width of the head.
    """

    n_hidden: int = 256
    facts: Facts = FACTS

    def build(self, n_labels: int, *, pretrained: Path | str | None) -> Any:
        """Return the module; pretrained is a safetensors file in Hugging Face `WhisperEncoder` naming."""
        if pretrained is None:
            encoder = PooledEncoder()
        else:
            try:
                encoder = load_encoder(Path(pretrained))
            except RuntimeError as error:
                raise ValueError(str(error)) from error
        return PooledWhisper(encoder, n_labels, n_hidden=self.n_hidden)


BACKBONE = WhisperBase()
