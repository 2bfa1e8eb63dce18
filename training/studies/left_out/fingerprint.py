"""What a stored score depends on beside bundle and recording: the code of serving and the libraries under it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path

import training.corpora
import worker.audio
import worker.scoring
from training.data.files import hash_file, hash_text

ROOMS = (worker.audio, worker.scoring, training.corpora)
LIBRARIES = ("av", "numpy", "onnxruntime", "soundfile", "soxr", "webrtcvad-wheels")


@cache
def fingerprint_code() -> str:
    """Return one hash of all code that turns a file into scores, so that scores of other code are not taken for its own."""
    hashes = [(name, hash_file(path)) for name, path in list_sources().items()]
    libraries = [(name, version(name)) for name in LIBRARIES]
    return hash_text(*(text for pair in (*hashes, *libraries) for text in pair))


def list_sources() -> dict[str, Path]:
    """Return every source file of that code by its room and its place in it, in order."""
    folders = [(room.__name__, Path(place)) for room in ROOMS for place in room.__path__]
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path
        for name, folder in folders
        for path in sorted(folder.rglob("*.py"))
    }


def hash_there(path: Path) -> str:
    """Return the sha256 of a file, in hex; empty where there is no such file."""
    try:
        return hash_file(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return ""
