"""Tiny corpora in their official layouts, built in code: right names, little noise."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 16_000
# Utterances of each session, (anger, happiness, excited, neutral, sadness), as one tiny IEMOCAP holds them.
TURNS = ("ang", "hap", "exc", "neu", "sad", "fru", "xxx")


def write_sound(path: Path, seed: int, *, n_samples: int = 800) -> Path:
    """Write noise; the same seed is the same audio."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples), RATE_HZ)
    return path


def write_silence(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(800), RATE_HZ)
    return path


def write_iemocap(root: Path, *, n_sessions: int = 5) -> Path:
    """One improvised and one scripted dialog a session, a turn of each label by the woman and by the man."""
    release = root / "IEMOCAP_full_release"
    seed = 0
    for session in range(1, n_sessions + 1):
        folder = release / f"Session{session}"
        for dialog in (f"Ses{session:02d}F_impro01", f"Ses{session:02d}M_script01_1"):
            lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
            for number, label in enumerate(TURNS):
                for who in "FM":
                    turn = f"{dialog}_{who}{number:03d}"
                    lines += [
                        f"[6.2901 - 8.2357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]",
                        "C-E2:\tNeutral;\t()",
                        "",
                    ]
                    write_sound(folder / "sentences" / "wav" / dialog / f"{turn}.wav", seed)
                    seed += 1
            listed = folder / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
            listed.parent.mkdir(parents=True, exist_ok=True)
            listed.write_text("\n".join(lines), encoding="latin-1")
            (listed.parent / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07 a shadow")
    return release


def write_crema_d(root: Path, *, n_actors: int = 6, folder: str = "AudioWAV", suffix: str = ".wav") -> Path:
    """One sentence of each actor in all six emotions."""
    seed = 10_000
    for actor in range(1001, 1001 + n_actors):
        for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"):
            write_sound(root / folder / f"{actor}_DFA_{emotion}_XX{suffix}", seed)
            seed += 1
    return root


def write_listed_set(
    root: Path,
    *,
    origin: str,
    speakers: Sequence[str] = ("a_01", "a_01", "a_02"),
    kind: str = "assumed_neutral",
    emotions: Sequence[str] = ("neutral",),
    licence: str = "CC0-1.0",
) -> Path:
    """A recording of each speaker in turn, with the manifest that sets of ordinary speech have."""
    rows = [
        {
            "file": f"audio/{index:03d}.wav",
            "speaker": speaker,
            "sex": "",
            "language": "en",
            "emotion": emotions[index % len(emotions)],
            "kind": kind,
            "duration_s": "0.05",
            "clipped_fraction": "0.0",
            "source": f"{origin}some/file-{index}.wav",
            "licence": licence,
        }
        for index, speaker in enumerate(speakers)
    ]
    for index, row in enumerate(rows):
        write_sound(root / row["file"], 20_000 + index)
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root
