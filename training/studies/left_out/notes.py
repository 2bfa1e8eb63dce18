"""What serving gives for one recording, and the file that keeps it: a line of JSON for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

FORMAT = 1  # Of the lines; another one belongs to another file.


class Unscored(StrEnum):
    """Why serving gives a recording no scores."""

    VAD = "vad"
    """The voice activity detector found no speech."""
    SHORT = "short"
    """It found less than the manifest's `min_speech_ms`."""
    GATE = "gate"
    """It found enough, and the speech gate turned so many windows away that less was left."""


@dataclass(frozen=True)
class ScoredNote:
    """What serving gives for one recording.

    Attributes:
        duration_ms: of the recording.
        speech_ms: of the windows that were pooled, each ms once; without scores, of what was left.
        unscored: why there are no scores; None where there are.
        scores: pooled, in the bundle's order of labels; empty without scores.
        windows: scores of each pooled window.
        window_ms: how much speech each pooled window covers.
    """

    duration_ms: int
    speech_ms: int
    unscored: Unscored | None
    scores: tuple[float, ...]
    windows: tuple[tuple[float, ...], ...]
    window_ms: tuple[int, ...]


def weigh_windows(note: ScoredNote) -> NDArray[np.float64]:
    """Return how much speech each pooled window covers that none before it does, float64 (n_windows,), in ms.

    For windows that do not overlap, but for a last one that was moved back: the last has what the others leave.
    """
    weights = np.array(note.window_ms, dtype=np.float64)
    weights[-1] = note.speech_ms - weights[:-1].sum()
    return weights


def keep_note(file: TextIO, sha256: str, note: ScoredNote) -> None:
    """Write one line, at once."""
    file.write(json.dumps({"file": sha256, **asdict(note)}) + "\n")
    file.flush()


def read_kept(path: Path) -> dict[str, ScoredNote]:
    """Return what is kept; a line that an interruption cut off is scored again."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        path.write_text(text, encoding="utf-8")
    rows = map(json.loads, text.splitlines())
    return {row.pop("file"): _read_note(row) for row in rows}


def _read_note(row: Mapping[str, Any]) -> ScoredNote:
    return ScoredNote(
        duration_ms=row["duration_ms"],
        speech_ms=row["speech_ms"],
        unscored=None if row["unscored"] is None else Unscored(row["unscored"]),
        scores=tuple(row["scores"]),
        windows=tuple(map(tuple, row["windows"])),
        window_ms=tuple(row["window_ms"]),
    )
