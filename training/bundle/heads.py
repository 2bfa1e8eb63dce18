"""The parts of a graph behind its encoder, as torch modules: emotions, speech, arousal and valence."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from training.corpora import LABELS
from training.measures.dimensions import DIMENSIONS
from training.nets.masking import RowLinear

POOLED, SPEECH = "pooled", "speech"


def round_half(module: Any, *, min_values: int) -> Any:
    """Round a module's large weights to half precision, in place, and return it; a graph can then store them so.

    Args:
        module: float32.
        min_values: of a tensor that is rounded; smaller ones stay.
    """
    with torch.no_grad():
        for tensor in module.parameters():
            if tensor.numel() >= min_values:
                tensor.copy_(tensor.half().float())
    return module


class TwoHeads(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Pooled statistics to emotion probabilities, calibrated, the probability of speech, arousal and valence."""

    OUTPUTS = ("probabilities", SPEECH, *DIMENSIONS)

    def __init__(self, emotion: Any, speech: Any, *, temperature: float) -> None:
        """Hold fitted heads.

        Args:
            emotion: head to 4 logits.
            speech: head to 2 logits, non-speech and speech.
            temperature: over 0; the emotion logits are divided by it.
        """
        super().__init__()
        self.emotion = emotion
        self.speech = speech
        self.temperature = temperature
        rows = [[weights[label] for label in LABELS] for weights in DIMENSIONS.values()]
        self.register_buffer("weights", torch.tensor(rows).T)

    def forward(self, statistics: Any) -> Any:
        """Return what `OUTPUTS` names, of statistics float32 (batch, 1024).

        Probabilities are float32 (batch, 4), in the order of `LABELS`; speech, arousal and valence float32 (batch,), the
        last two sums of the probabilities as `training.measures.dimensions` weighs them.
        """
        probabilities = torch.softmax(self.emotion(statistics) / self.temperature, dim=1)
        speech = torch.softmax(self.speech(statistics), dim=1)[:, 1]
        return probabilities, speech, *(probabilities @ self.weights).unbind(dim=1)


class Readings(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Probabilities to arousal and valence and, where there is a speech head, pooled vectors to the probability of speech.

    Row by row, so that no window's neighbours change it.
    """

    def __init__(self, labels: tuple[str, ...], speech: Any | None) -> None:
        """Hold the weights of the labels and a fitted head.

        Raises:
            KeyError: a label has no place in arousal and valence.
        """
        super().__init__()
        rows = [[weights[label] for label in labels] for weights in DIMENSIONS.values()]
        self.register_buffer("weights", torch.tensor(rows))
        self.speech = None if speech is None else nn.Sequential(*(_as_rows(layer) for layer in speech))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what `forward` returns."""
        return tuple(DIMENSIONS) if self.speech is None else (*DIMENSIONS, SPEECH)

    def forward(self, probabilities: Any, pooled: Any = None) -> Any:
        """Return what `outputs` names, float32 (batch,) each.

        Args:
            probabilities: float32 (batch, n_labels).
            pooled: float32 (batch, n_pooled); asked for where there is a speech head.
        """
        sums = (self.weights[None] @ probabilities[:, :, None])[:, :, 0].unbind(dim=1)
        return sums if self.speech is None else (*sums, torch.softmax(self.speech(pooled), dim=1)[:, 1])


def _as_rows(layer: Any) -> Any:
    if not isinstance(layer, nn.Linear):
        return layer
    rows = RowLinear(layer.in_features, layer.out_features)
    rows.load_state_dict(layer.state_dict())
    return rows.requires_grad_(requires_grad=False)
