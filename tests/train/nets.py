"""Small nets and made-up corpora that the training tests share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training.data.windows import WindowSet, WindowStore
from training.fitting.recipe import Recipe
from training.nets.backbones import Backbone, find_backbone

LABELS = ("anger", "happiness", "neutral", "sadness")
RATE_HZ = 16_000
SMALL = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "conv_dim": (32,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
SIZES: dict[str, dict[str, Any]] = {
    "distilhubert": {"config": SMALL, "n_hidden": 16},
    "wav2vec2-base": {"config": {**SMALL, "num_hidden_layers": 3}, "n_hidden": 16},
    "light-sernet": {},
    "whisper-base": {"n_hidden": 16},
}


def find_small(name: str) -> Backbone:
    """The backbone at the smallest size that it can have."""
    return find_backbone(name, **SIZES[name])


def build_small(name: str) -> Any:
    return find_small(name).build(len(LABELS), pretrained=None).eval()


@dataclass(frozen=True)
class Tone:
    """An utterance whose label is its pitch."""

    path: Path
    label: str
    speaker: str = "s"


def make_tone(path: Path) -> np.ndarray:
    """A noisy tone; the file name `<index>-<label>` says which."""
    index, label = path.name.split("-")
    rng = np.random.default_rng(int(index))
    pitch_hz = 200.0 * 2 ** LABELS.index(label) * rng.uniform(0.95, 1.05)
    n_samples = int(rng.uniform(0.4, 0.8) * RATE_HZ)
    tone = np.sin(2 * np.pi * pitch_hz / RATE_HZ * np.arange(n_samples))
    return (0.5 * tone + 0.02 * rng.standard_normal(n_samples)).astype(np.float32)


def make_tones(first: int, n_tones: int, recipe: Recipe) -> WindowSet:
    tones = [Tone(Path(f"{i}-{LABELS[i % 4]}"), LABELS[i % 4]) for i in range(first, first + n_tones)]
    return WindowSet(tones, LABELS, WindowStore(recipe, make_tone))


class TinyNet(nn.Module):
    """Mean magnitudes of a few random filters, with dropout, so that chance matters."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv1d(1, 12, 64, stride=16)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(12, len(LABELS))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return self.head(self.dropout(torch.log(self.filters(waveform[:, None]).abs().mean(dim=2) + 1e-4)))
