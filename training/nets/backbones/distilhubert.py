"""DistilHuBERT with mean pooling and a linear head, the paper's system; the convolutional encoder never trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from training.nets.backbones.base import Facts, Int8Scheme
from training.nets.masking import RowLinear, pool_mean
from training.nets.pretrained import HubertConfig, HubertModel, load_pretrained
from training.nets.speech_encoder import SpeechEncoder

# ntu-spml/distilhubert's configuration where it differs from HuBERT base: two layers and no norm before the projection.
DISTILHUBERT = {"num_hidden_layers": 2, "feat_proj_layer_norm": False, "feat_proj_dropout": 0.0, "layerdrop": 0.0}


class PooledSpeech(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Last layer, masked mean, then the two linear layers of transformers' sequence classifier."""

    def __init__(self, encoder: SpeechEncoder, n_labels: int, *, n_hidden: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = RowLinear(encoder.n_features, n_hidden)
        self.classifier = RowLinear(n_hidden, n_labels)

    def pool(self, waveform: Any) -> Any:
        """Return one vector a window, float32 (batch, n_features), of waveform float32 (batch, n_samples)."""
        states, mask = self.encoder(waveform)
        return pool_mean(states[-1], mask)

    def classify(self, pooled: Any) -> Any:
        """Return logits float32 (batch, n_labels) of what `pool` gave."""
        return self.classifier(self.projector(pooled))

    def forward(self, waveform: Any) -> Any:
        """Return logits float32 (batch, n_labels) of waveform float32 (batch, n_samples)."""
        return self.classify(self.pool(waveform))


FACTS = Facts(
    name="distilhubert",
    source="Chang et al. 2022, ntu-spml/distilhubert; Ismail 2025, arXiv 2512.23435",
    licence="Apache-2.0",
    frozen=("encoder.feature_extractor",),
    export_notes=(
        "Group normalisation is folded into one scale and shift a channel, taken over what precedes the zeros."
    ),
    int8=Int8Scheme(
        op_types=("Conv", "MatMul"),
        # The waveform itself at 8 bits would lose quiet speech, and the first layer is 0.5 % of the work.
        keep_float=("encoder/conv/Conv", "encoder/Conv"),
        text="static QDQ U8S8 per channel, 7-bit weights; Conv and MatMul, first layer, its norm and the head in float32",
    ),
)


@dataclass(frozen=True)
class DistilHubert:
    """See `training.nets.backbones.base.Backbone`.

    Attributes:
        config: changes to DistilHuBERT's configuration where no pretrained weights are given.
        n_hidden: width between the two linear layers of the head.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    n_hidden: int = 256
    facts: Facts = FACTS

    def build(self, n_labels: int, *, pretrained: Path | str | None) -> Any:
        """Return the module; pretrained is a folder or a name that `HubertModel.from_pretrained` knows."""
        if pretrained is not None:
            model = load_pretrained(HubertModel, pretrained)
        else:
            model = HubertModel(HubertConfig(**{**DISTILHUBERT, "apply_spec_augment": False, **self.config}))
        return PooledSpeech(SpeechEncoder(model), n_labels, n_hidden=self.n_hidden)


BACKBONE = DistilHubert()
