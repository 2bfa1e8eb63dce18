"""Time decoding to mono at 16 kHz and finding speech, ours and what most scripts do, in turn over the same notes on one core."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from benchmarks import chains
from benchmarks.bench_notes import make_notes
from benchmarks.in_turn import describe_times, ratio_in_turn, time_in_turn
from worker.audio.decode import iter_blocks
from worker.audio.vad import SpeechDetector


def measure(*, n_turns: int = 5, n_notes: int = 24, source: str | None = None) -> dict[str, Any]:
    """Return ms an audio second of each way, and how many times ours the others are, turn by turn.

    Args:
        n_turns: through all notes.
        n_notes: of `bench_notes`.
        source: folder of speech that they are made of; by default the variable NOTES or the examples.
    """
    found = source or os.environ.get("NOTES")
    notes = make_notes(n_notes, source=Path(found) if found else None)
    signals = [[*iter_blocks(io.BytesIO(note))] for note in notes]
    audio_s = sum(len(block) for blocks in signals for block in blocks) / chains.RATE_HZ
    joined = [chains.load_by_soundfile(note) for note in notes]
    times = time_in_turn(
        {
            "decode, Tonalog": lambda: [[*iter_blocks(io.BytesIO(note))] for note in notes],
            "decode, librosa.load": lambda: [chains.load_by_librosa(note) for note in notes],
            "decode, soundfile and soxr": lambda: [chains.load_by_soundfile(note) for note in notes],
            "speech, Tonalog": lambda: [_detect(blocks) for blocks in signals],
            "speech, webrtcvad in a loop": lambda: [chains.find_speech(signal) for signal in joined],
        },
        n_turns=n_turns,
    )
    return {
        "unit": "ms an audio second",
        "n_notes": n_notes,
        "audio_s": audio_s,
        "variants": {name: describe_times(one, per=audio_s) for name, one in times.items()},
        "ratios": {
            "decode, librosa.load": ratio_in_turn(times["decode, librosa.load"], times["decode, Tonalog"]),
            "decode, soundfile and soxr": ratio_in_turn(times["decode, soundfile and soxr"], times["decode, Tonalog"]),
            "speech, webrtcvad in a loop": ratio_in_turn(
                times["speech, webrtcvad in a loop"], times["speech, Tonalog"]
            ),
        },
    }


def _detect(blocks: list[Any]) -> int:
    """Find speech with voicing, which the loop around webrtcvad lacks; return how many segments there are."""
    detector = SpeechDetector()
    return sum(len(detector.feed(block)) for block in blocks) + len(detector.flush())
