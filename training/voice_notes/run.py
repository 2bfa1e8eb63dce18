"""Encode the notes of as many speakers as are asked for; what is cached is not computed again."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import numpy as np

from training.corpora import find_audio, read_signal
from training.voice_notes.encode import Encoded, Pieces, encode_speaker, load_encoded, save_encoded
from training.voice_notes.notes import trim_utterance
from training.whisper3.features import Features, open_session

log = logging.getLogger(__name__)
MIN_SPEECH_SAMPLES = 8000


def read_pieces(view: Features, files: dict[str, Path], speaker: str) -> Pieces:
    """Read and trim the utterances of a speaker that the clean copy holds, so that defects stay out."""
    chosen = np.flatnonzero(view.speakers == speaker)
    pieces = [(str(view.kinds[i]), trim_utterance(read_signal(files[str(view.names[i])]))) for i in chosen]
    return [(label, signal) for label, signal in pieces if signal.size >= MIN_SPEECH_SAMPLES]


def encode_speakers(
    speakers: list[str], view: Features, *, corpus: Path, model: Path, folder: Path
) -> dict[str, Encoded]:
    """Return every speaker's windows, computing what is not in the folder yet."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {path.stem: path for path in find_audio(corpus)}
    session = open_session(model, threads=1)
    encoded: dict[str, Encoded] = {}
    for speaker in speakers:
        path = folder / f"{speaker}.npz"
        if not path.exists():
            began = time.perf_counter()
            one = encode_speaker(read_pieces(view, files, speaker), int(speaker), session)
            save_encoded(one, path)
            log.debug("%s: %d windows in %.0f s", speaker, len(one.statistics), time.perf_counter() - began)
        encoded[speaker] = load_encoded(path)
    return encoded
