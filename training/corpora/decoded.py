"""Corpora small enough to be held in memory with their audio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.corpora.registry import load_corpus
from training.corpora.utterance import Finding, Utterance


@dataclass(frozen=True)
class DecodedUtterance:
    """One utterance and its audio.

    Attributes:
        path: audio file.
        speaker: speaker id, unique within its corpus.
        label: one of `LABELS`.
        signal: float32 (n_samples,), 16 kHz mono, in [-1, 1].
        is_assumed: whether nobody rated it, so that its label is no truth.
        is_speaker_known: False where its speaker stands for everybody in the corpus.
    """

    path: Path
    speaker: str
    label: str
    signal: NDArray[np.float32]
    is_assumed: bool = False
    is_speaker_known: bool = True


@dataclass(frozen=True)
class DecodedCorpus:
    """A corpus in memory, 230 MB an hour.

    Attributes:
        name: as in `Corpus`.
        utterances: in order of name.
        defects: the findings that cost an utterance.
        listed: the utterances with all that the corpus tells about them.
    """

    name: str
    utterances: tuple[DecodedUtterance, ...]
    defects: tuple[Finding, ...]
    listed: tuple[Utterance, ...] = ()


def load_decoded(name: str, root: Path) -> DecodedCorpus:
    """Load a corpus with its audio, decoding each file once.

    Args:
        name: one of `list_layouts()`.
        root: the corpus's folder.

    Raises:
        FileNotFoundError: root does not hold anything of that corpus.
        ValueError: there is no such layout, or root holds another corpus.
    """
    signals: dict[str, NDArray[np.float32]] = {}

    def keep(utterance: Utterance, signal: NDArray[np.float32]) -> None:
        signals[utterance.name] = signal

    corpus = load_corpus(name, root, on_sound=keep)
    utterances = tuple(
        DecodedUtterance(
            u.path, u.speaker, u.label, signals[u.name], is_assumed=u.is_assumed, is_speaker_known=u.is_speaker_known
        )
        for u in corpus.utterances
    )
    return DecodedCorpus(corpus.name, utterances, corpus.defects, corpus.utterances)
