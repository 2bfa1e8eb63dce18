"""Corpus loaders: official file layouts to labelled utterances, defects found by listening; they never write and never resample in place."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.audio.decode import iter_blocks

LABELS = ("anger", "happiness", "neutral", "sadness")
AUDIO_SUFFIXES = frozenset({".wav", ".ogg", ".flac", ".opus"})
# CREMA-D file names: 1001_DFA_ANG_XX = actor, sentence, emotion, intensity (Cao et al. 2014).
CREMA_D_EMOTIONS = {"ANG": "anger", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
# EmoDB file names: 03a01Fa = speaker, text, German initial of the emotion, take (Burkhardt et al. 2005).
EMODB_EMOTIONS = {"W": "anger", "F": "happiness", "N": "neutral", "T": "sadness"}
CREMA_D_PARTS, EMODB_LETTERS = 4, 7
SILENT_PEAK = 1e-3  # -60 dBFS: below it nothing was recorded, only dither or codec residue.


@dataclass(frozen=True)
class Utterance:
    """One labelled recording of one speaker.

    Attributes:
        path: audio file.
        speaker: speaker id, unique within its corpus.
        label: one of `LABELS`.
        signal: float32 (n_samples,), 16 kHz mono, in [-1, 1].
    """

    path: Path
    speaker: str
    label: str
    signal: NDArray[np.float32]


@dataclass(frozen=True)
class Defect:
    """One utterance left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Corpus:
    """What a loader found: the utterances to use, in order of file name, and what it left out."""

    name: str
    utterances: tuple[Utterance, ...]
    defects: tuple[Defect, ...]


def read_signal(path: Path) -> NDArray[np.float32]:
    """Read a file as serving does: 16 kHz mono float32, in [-1, 1].

    Raises:
        worker.audio.errors.AudioError: the file cannot be read as audio.
    """
    with path.open("rb") as file:
        return np.concatenate([np.zeros(0, dtype=np.float32), *iter_blocks(file)])


def find_audio(root: Path) -> list[Path]:
    """Return the audio files under root in order of name, whatever folder the corpus keeps them in.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted((p for p in root.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES), key=lambda p: p.stem)
    if not found:
        message = f"no audio file ({', '.join(sorted(AUDIO_SUFFIXES))}) under {root}"
        raise FileNotFoundError(message)
    return found


def find_defects(signals: Iterable[tuple[str, str, NDArray[np.float32]]]) -> tuple[Defect, ...]:
    """Find silent recordings and identical audio under different labels.

    Args:
        signals: (name, label, signal) of every file of the corpus, unused labels included: a copy
            under an unused label spoils the used one just as much.

    Returns:
        Defects in order of name; both halves of a contradictory pair are named.
    """
    by_sound: dict[str, list[tuple[str, str]]] = defaultdict(list)
    defects: list[Defect] = []
    for name, label, signal in signals:
        if signal.size == 0 or float(np.abs(signal).max()) < SILENT_PEAK:
            defects.append(Defect(name, "silent"))
        else:
            by_sound[hashlib.sha256(signal.tobytes()).hexdigest()].append((name, label))
    for group in by_sound.values():
        if len({label for _, label in group}) > 1:
            names = " = ".join(name for name, _ in group)
            defects.extend(Defect(name, f"identical audio under two labels: {names}") for name, _ in group)
    return tuple(sorted(defects, key=lambda d: d.name))


def _build(name: str, named: list[tuple[Path, str, str]], listed: tuple[Defect, ...]) -> Corpus:
    signals = {path: read_signal(path) for path, _, _ in named}
    heard = find_defects((path.stem, label, signals[path]) for path, _, label in named)
    known = {defect.name for defect in heard}
    defects = heard + tuple(d for d in listed if d.name not in known)
    bad = {defect.name for defect in defects}
    kept = tuple(
        Utterance(path, speaker, label, signals[path])
        for path, speaker, label in named
        if label in LABELS and path.stem not in bad
    )
    return Corpus(name, kept, defects)


def read_listed_defects(manifest: Path) -> tuple[Defect, ...]:
    """Return the defects a manifest.csv with a `defect` column names; none where there is no such file."""
    if not manifest.is_file():
        return ()
    with manifest.open(newline="", encoding="utf-8") as lines:
        rows = [(Path(row["file"]).stem, row.get("defect") or "") for row in csv.DictReader(lines)]
    return tuple(Defect(name, f"listed: {reason}") for name, reason in rows if reason)


def load_crema_d(root: Path) -> Corpus:
    """Load CREMA-D (ODbL 1.0): any folder holding files named like `1001_DFA_ANG_XX`.

    Raises:
        FileNotFoundError: root holds no audio.
        ValueError: a file name is not of that form.
    """
    named: list[tuple[Path, str, str]] = []
    for path in find_audio(root):
        parts = path.stem.split("_")
        if len(parts) != CREMA_D_PARTS or not parts[0].isdigit():
            message = f"{path.name} is not named like CREMA-D's 1001_DFA_ANG_XX"
            raise ValueError(message)
        named.append((path, parts[0], CREMA_D_EMOTIONS.get(parts[2], parts[2])))
    return _build("CREMA-D", named, read_listed_defects(root / "manifest.csv"))


def load_emodb(root: Path) -> Corpus:
    """Load Berlin EmoDB (CC0 1.0): any folder holding files named like `03a01Fa`.

    Raises:
        FileNotFoundError: root holds no audio.
        ValueError: a file name is not of that form.
    """
    named: list[tuple[Path, str, str]] = []
    for path in find_audio(root):
        if len(path.stem) != EMODB_LETTERS:
            message = f"{path.name} is not named like EmoDB's 03a01Fa"
            raise ValueError(message)
        named.append((path, path.stem[:2], EMODB_EMOTIONS.get(path.stem[5], path.stem[5])))
    return _build("EmoDB", named, ())
