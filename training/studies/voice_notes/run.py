"""Encode the notes of as many speakers as are asked for; what is cached is not computed again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.corpora import find_audio, read_signal
from training.data.cached import Features
from training.studies.voice_notes.encode import Encoded, Graphs, Pieces, encode_speaker, load_encoded, save_encoded
from training.studies.voice_notes.notes import trim_utterance

log = logging.getLogger(__name__)
MIN_SPEECH_SAMPLES = 8000


def read_pieces(view: Features, files: dict[str, Path], speaker: str) -> Pieces:
    """Read and trim the utterances of a speaker that the clean copy holds, so that defects stay out."""
    chosen = np.flatnonzero(view.speakers == speaker)
    pieces = [(str(view.kinds[i]), trim_utterance(read_signal(files[str(view.names[i])]))) for i in chosen]
    return [(label, signal) for label, signal in pieces if signal.size >= MIN_SPEECH_SAMPLES]


def encode_speakers(
    speakers: list[str], view: Features, *, corpus: Path, graphs: Callable[[str], Graphs], folder: Path
) -> dict[str, Encoded]:
    """Return every speaker's windows, computing what is not in the folder yet.

    Args:
        speakers: CREMA-D's numbers.
        view: the clean copy, which says whose utterances are whole.
        corpus: folder of CREMA-D audio.
        graphs: gives what a speaker's windows are played through.
        folder: for what was computed, one file a speaker.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {path.stem: path for path in find_audio(corpus)}
    encoded: dict[str, Encoded] = {}
    for speaker in speakers:
        path = folder / f"{speaker}.npz"
        if not path.exists():
            began = time.perf_counter()
            one = encode_speaker(read_pieces(view, files, speaker), int(speaker), graphs(speaker))
            save_encoded(one, path)
            log.debug("%s: %d windows in %.0f s", speaker, len(one.statistics), time.perf_counter() - began)
        encoded[speaker] = load_encoded(path)
    return encoded
