"""Import transformers with its telemetry off, and load pretrained weights; every other module takes both from here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# huggingface_hub reads both when it is imported.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model  # noqa: TID251

from training.screen import say

__all__ = ["HubertConfig", "HubertModel", "Wav2Vec2Config", "Wav2Vec2Model", "load_pretrained"]


def load_pretrained(kind: Any, pretrained: Path | str) -> Any:
    """Load a model's weights. A folder is read and nobody is asked; for a name the hub is asked, and that is said.

    Args:
        kind: class of the model.
        pretrained: a folder, or a name that `kind.from_pretrained` knows.
    """
    is_folder = Path(pretrained).is_dir()
    if not is_folder:
        say(f"{str(pretrained)!r} is no folder on this machine: asking huggingface.co for it", err=True)
    return kind.from_pretrained(pretrained, apply_spec_augment=False, local_files_only=is_folder)
