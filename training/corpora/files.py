"""Find audio files, tell their containers apart and read them as serving does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.audio.container.identify import identify
from worker.audio.container.parts import Container
from worker.audio.decode import iter_blocks

# What an extension promises. A file may be fine and still be something else: copies of corpora get converted.
CONTAINERS = {
    ".wav": Container.WAV,
    ".flac": Container.FLAC,
    ".ogg": Container.OGG,
    ".opus": Container.OGG,
    ".mp3": Container.MP3,
    ".m4a": Container.MP4,
}
AUDIO_SUFFIXES = frozenset(CONTAINERS)


def read_signal(path: Path) -> NDArray[np.float32]:
    """Read a file as serving does.

    Returns:
        float32 (n_samples,), mono, 16 kHz, in [-1, 1].

    Raises:
        worker.audio.errors.AudioError: the file cannot be read as audio.
        OSError: the file cannot be read at all.
    """
    with path.open("rb") as file:
        return np.concatenate([np.zeros(0, dtype=np.float32), *iter_blocks(file)])


def find_container(path: Path) -> Container:
    """Tell what a file is by its first bytes.

    Raises:
        worker.audio.errors.AudioError: it is nothing that can be decoded.
        OSError: the file cannot be read at all.
    """
    with path.open("rb") as file:
        return identify(file).container


def find_audio(root: Path) -> list[Path]:
    """Return the audio files under root in order of name, whatever folder the corpus keeps them in.

    Hidden files are skipped: archives made on a Mac bring a `._` shadow of every file.

    Raises:
        FileNotFoundError: there is none.
    """
    result = (p for p in root.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES and not p.name.startswith("."))
    ordered = sorted(result, key=lambda path: (path.stem, path))
    if not ordered:
        message = f"no audio file ({', '.join(sorted(AUDIO_SUFFIXES))}) under {root}"
        raise FileNotFoundError(message)
    return ordered
