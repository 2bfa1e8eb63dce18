"""wav2vec 2.0 base, frozen, under a learned average of its layers: the baseline of Pepino et al. 2021; only the head trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.nets.backbones.base import Facts, Int8Scheme
from training.nets.masking import RowLinear, pool_mean
from training.nets.pretrained import Wav2Vec2Config, Wav2Vec2Model, load_pretrained
from training.nets.speech_encoder import SpeechEncoder

DROPOUT = 0.2


class WeightedLayers(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Softmax-weighted average of all hidden states, two pointwise layers, masked mean, linear."""

    def __init__(self, encoder: SpeechEncoder, n_labels: int, *, n_hidden: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.layer_weights = nn.Parameter(torch.zeros(encoder.n_layers + 1))
        self.pointwise = nn.Sequential(
            nn.Linear(encoder.n_features, n_hidden),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(n_hidden, n_hidden),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
        )
        self.classifier = RowLinear(n_hidden, n_labels)

    def train(self, mode: bool = True) -> Any:  # noqa: FBT001, FBT002 - torch's signature
        """Set the mode of the head; the frozen encoder always runs without dropout, as features would."""
        super().train(mode)
        self.encoder.eval()
        return self

    def pool(self, waveform: Any) -> Any:
        """Return one vector a window, float32 (batch, n_hidden), of waveform float32 (batch, n_samples)."""
        states, mask = self.encoder(waveform)
        weights = torch.softmax(self.layer_weights, dim=0)
        mixed = sum(weights[index] * state for index, state in enumerate(states))
        return pool_mean(self.pointwise(mixed), mask)

    def classify(self, pooled: Any) -> Any:
        """Return logits float32 (batch, n_labels) of what `pool` gave."""
        return self.classifier(pooled)

    def forward(self, waveform: Any) -> Any:
        """Return logits float32 (batch, n_labels) of waveform float32 (batch, n_samples)."""
        return self.classify(self.pool(waveform))


FACTS = Facts(
    name="wav2vec2-base",
    source="Baevski et al. 2020, facebook/wav2vec2-base; Pepino et al. 2021, Interspeech",
    licence="Apache-2.0",
    frozen=("encoder.",),
    export_notes="All hidden states feed the head; group normalisation as in distilhubert.",
    int8=Int8Scheme(
        op_types=("Conv", "MatMul"),
        keep_float=("encoder/conv/Conv", "encoder/Conv"),
        text="static QDQ U8S8 per channel, 7-bit weights; Conv and MatMul, first layer, its norm and classifier in float32",
    ),
)


@dataclass(frozen=True)
class Wav2Vec2Base:
    """See `training.nets.backbones.base.Backbone`.

    Attributes:
        config: changes to wav2vec 2.0 base's configuration where no pretrained weights are given.
        n_hidden: width of the pointwise layers.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    n_hidden: int = 128
    facts: Facts = FACTS

    def build(self, n_labels: int, *, pretrained: Path | str | None) -> Any:
        """Return the module; pretrained is a folder or a name that `Wav2Vec2Model.from_pretrained` knows."""
        if pretrained is not None:
            model = load_pretrained(Wav2Vec2Model, pretrained)
        else:
            model = Wav2Vec2Model(Wav2Vec2Config(**{"apply_spec_augment": False, "layerdrop": 0.0, **self.config}))
        return WeightedLayers(SpeechEncoder(model), n_labels, n_hidden=self.n_hidden)


BACKBONE = Wav2Vec2Base()
