"""What the shipped model is made from, as its manifest and its card name it."""

from __future__ import annotations

from typing import Any

from training.bundle.credits import credit_layout
from training.corpora.registry import find_layout

_WHISPER = {
    "name": "Whisper base encoder (OpenAI)",
    "use": "start weights",
    "licence": "MIT",
    "source": "https://github.com/openai/whisper",
    "attribution": "",
}
_SOUNDS = {
    "name": "noise, tones, music-like and machine sounds",
    "use": "speech head",
    "licence": "Apache-2.0",
    "source": "synthesised by training/sounds/nonspeech.py",
    "attribution": "",
}


def list_sources() -> list[dict[str, Any]]:
    """Return the entries of a manifest's `training.corpora`, corpora that were only looked at included."""
    return [
        credit_layout(
            find_layout("crema-d"),
            use="encoder layers 2 and 3, both heads: four emotions, 91 actors, twelve fixed English sentences",
        ),
        dict(_WHISPER),
        dict(_SOUNDS),
        credit_layout(find_layout("emodb"), use="development only: nothing trained on it, looked at while choosing"),
    ]
