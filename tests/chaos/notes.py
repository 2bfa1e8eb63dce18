"""Short recordings for the chaos runs, some of them poisoned, and the scores that an undisturbed run gives them."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import soundfile

from tests.unit.sounds import RATE_HZ, make_voice
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

N_VOICES = 6
POISON_MARK = b"chaos-poison:"
POISONS = ("kill", "segfault", "memory", "hang")
SLOW = "slow"  # no poison: it only takes long, so that a fault finds it half done


@dataclass(frozen=True)
class Note:
    """One recording's bytes, and the scores that it must get."""

    content: bytes
    scores: Mapping[str, float]

    @property
    def version_tag(self) -> str:
        """What a folder store calls this version."""
        return sha256(self.content).hexdigest()


def make_notes(bundle: Path, *, seed: int) -> list[Note]:
    """Make a few voices of 1 to 1.5 s, scored here and now without any disturbance."""
    scorer = Scorer(load_bundle(bundle))
    notes = []
    for n in range(N_VOICES):
        content = _as_wav(seed=seed * N_VOICES + n, duration_s=1.0 + 0.1 * n)
        scored = score_recording(io.BytesIO(content), scorer)
        assert scored.scores, "a note without speech would show nothing"
        notes.append(Note(content, dict(scored.scores)))
    return notes


def mark(note: Note, kind: str) -> Note:
    """Give a recording a RIFF chunk that readers skip and `poisoned_worker` obeys; its sound stays the same."""
    text = POISON_MARK + kind.encode()
    padded = text + b"\0" * (len(text) % 2)
    chunk = b"note" + struct.pack("<I", len(padded)) + padded
    head, rest = note.content[:12], note.content[12:]
    riff_size = struct.unpack("<I", head[4:8])[0] + len(chunk)
    return Note(b"RIFF" + struct.pack("<I", riff_size) + head[8:] + chunk + rest, note.scores)


def _as_wav(*, seed: int, duration_s: float) -> bytes:
    file = io.BytesIO()
    voice = make_voice(duration_s, pitch_hz=120.0 + 5 * (seed % 20), seed=seed)
    soundfile.write(file, voice, RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()
