"""Which notes are scored how: the protocol of the experiment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from training.corpora import LABELS
from training.protocols.folds import N_FOLDS
from training.studies.voice_notes.cuts import FINDERS

SEED = 61
MIXED = "mixed"
N_MIXED = 2
WINDOW_MS = 8000
WINDOWS_MS = (3000, 4000, 8000)
SNR_DB = (40, 20, 10, 5)
OPUS = "20 dB, Opus 16k"
OPUS_BPS = 16_000
OPUS_SNR_DB = 20
MIXED_SNR_DB = 20
PROTOCOL = (
    "protocol: {speakers} CREMA-D actors ({per_fold} of each of the folds {folds}, drawn with seed {seed}); each speaks 4 notes of "
    "one emotion (played at {snr} dB, and at 20 dB through Opus at 16 kbit/s) and 2 mixed notes (20 dB); 4 to 8 different "
    "clips a note, their own silence cut off, 0.5 to 4 s between them, 1 to 10 s before and after, room noise of a "
    "random colour; SNR is RMS over true speech to RMS of noise. A note is scored by the net of its speaker's fold, "
    "encoder and head, which was not trained on that speaker; int8, one window at a time."
)


@dataclass(frozen=True, order=True)
class Task:
    """One way of scoring one note.

    Attributes:
        emotion: a label, or `mixed`.
        turn: which of the speaker's notes of that kind.
        played: "40 dB" and so on, or `OPUS`.
        finder: one of `FINDERS`.
        window_ms: length of a window.
    """

    emotion: str
    turn: int
    played: str
    finder: str
    window_ms: int


def describe_snr(snr_db: float) -> str:
    """Return how a ratio is named in tasks and tables."""
    return f"{snr_db:g} dB"


def choose_speakers(folds: Mapping[str, int], *, per_fold: int) -> list[str]:
    """Choose speakers of every fold; asking for more keeps those that fewer would give.

    Args:
        folds: fold of each speaker.
        per_fold: 1 or more.

    Returns:
        Speakers, folds taking turns.
    """
    members: dict[int, list[str]] = defaultdict(list)
    for speaker in sorted(folds):
        members[folds[speaker]].append(speaker)
    drawn = [np.random.default_rng([SEED, fold]).permutation(members[fold]).tolist() for fold in range(N_FOLDS)]
    return [str(speakers[turn]) for turn in range(per_fold) for speakers in drawn if turn < len(speakers)]


@cache
def list_tasks() -> tuple[Task, ...]:
    """List every way in which the notes of one speaker are scored: not every combination, but one question at a time."""
    tasks: list[Task] = []
    for label in LABELS:
        for snr_db in SNR_DB:
            played = describe_snr(snr_db)
            tasks += [Task(label, 0, played, finder, WINDOW_MS) for finder in FINDERS]
            tasks += [Task(label, 0, played, "ours", window_ms) for window_ms in WINDOWS_MS if window_ms != WINDOW_MS]
        tasks += [Task(label, 0, OPUS, finder, WINDOW_MS) for finder in ("none", "energy", "ours", "oracle")]
    for turn in range(N_MIXED):
        played = describe_snr(MIXED_SNR_DB)
        tasks += [Task(MIXED, turn, played, f, WINDOW_MS) for f in ("none", "energy", "webrtc3", "ours", "oracle")]
        tasks += [Task(MIXED, turn, played, "ours", window_ms) for window_ms in WINDOWS_MS if window_ms != WINDOW_MS]
    return tuple(tasks)
