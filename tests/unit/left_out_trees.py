"""Tiny corpora that speak, and scored corpora without any audio, for the tests of `tonalog evaluate left-out`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from tests.unit.corpus_trees import write_listed_set
from tests.unit.sounds import RATE_HZ, Signal, make_voice
from training.corpora import LABELS, Kind, Utterance
from training.studies.left_out.notes import ScoredNote, Unscored
from training.studies.left_out.scored import ScoredCorpus

FSDD = "Jakobovski/free-spoken-digit-dataset:"
LETTERS = {"anger": "W", "happiness": "F", "neutral": "N", "sadness": "T"}


def write_signal(path: Path, signal: Signal) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, signal, RATE_HZ, subtype="PCM_16")
    return path


def write_emodb(
    root: Path,
    *,
    n_speakers: int = 2,
    labels: Sequence[str] = LABELS,
    gains: Sequence[float] | None = None,
    seed: int = 0,
) -> Path:
    """A voice of two seconds of each speaker and label; with gains, it is overdriven by that of its label."""
    for speaker in range(n_speakers):
        for place, label in enumerate(labels):
            name = f"{speaker + 3:02d}a{place + 1:02d}{LETTERS[label]}a.wav"
            voice = make_voice(2.0, pitch_hz=110.0 + 60 * speaker, seed=seed + 10 * speaker + place)
            if gains is not None:
                voice = np.clip(gains[place] * voice / np.abs(voice).max(), -1.0, 1.0)
            write_signal(root / name, voice)
    return root


def write_ordinary(root: Path, signals: Sequence[Signal], *, speakers: Sequence[str] | None = None) -> Path:
    """The set fsdd with these recordings."""
    write_listed_set(root, origin=FSDD, speakers=speakers or [f"a_{place:02d}" for place in range(len(signals))])
    for place, signal in enumerate(signals):
        write_signal(root / "audio" / f"{place:03d}.wav", signal)
    return root


def make_scored(
    name: str,
    rows: Sequence[Sequence[float] | Unscored],
    truth: Sequence[int],
    *,
    speakers: Sequence[str] | None = None,
    kind: Kind = Kind.ACTED,
    durations_ms: Sequence[int] | None = None,
    is_trained: bool = False,
    is_speaker_known: bool = True,
) -> ScoredCorpus:
    """A corpus of notes with one window each, whose scores are given, or why there are none."""
    utterances = tuple(
        Utterance(
            Path(f"{place}.wav"),
            str(place),
            speakers[place] if speakers else f"s{place}",
            LABELS[label],
            name,
            kind=kind,
            is_speaker_known=is_speaker_known,
        )
        for place, label in enumerate(truth)
    )
    notes = tuple(
        ScoredNote(durations_ms[place] if durations_ms else 2000, 0, row, (), (), ())
        if isinstance(row, Unscored)
        else ScoredNote(durations_ms[place] if durations_ms else 2000, 1500, None, tuple(row), (tuple(row),), (1500,))
        for place, row in enumerate(rows)
    )
    return ScoredCorpus(name, LABELS, utterances, notes, is_trained)


def draw_scored(
    name: str, *, n: int, temperature: float = 1.0, skill: float = 2.0, seed: int = 0, kind: Kind = Kind.ACTED
) -> ScoredCorpus:
    """A corpus whose scores are right about themselves once their logarithms are divided by `temperature`."""
    rng = np.random.default_rng(seed)
    logits = skill * rng.standard_normal((n, 4))
    raised = np.exp(logits)
    chances = raised / raised.sum(axis=1, keepdims=True)
    truth = (chances.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    sharp = np.exp(logits * temperature)
    rows = sharp / sharp.sum(axis=1, keepdims=True)
    labels = np.full(n, LABELS.index("neutral")) if kind is Kind.ASSUMED_NEUTRAL else truth
    return make_scored(name, rows.tolist(), labels.tolist(), kind=kind)
