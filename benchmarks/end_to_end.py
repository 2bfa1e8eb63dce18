"""Time notes in, scores out: Tonalog's pipeline against what somebody would put together, in turn on one core."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import chains
from benchmarks.bench_notes import make_notes
from benchmarks.distilhubert_files import write_distilhubert
from benchmarks.in_turn import Times, ratio_in_turn, spread
from config.settings import Settings
from tonalog.bundles import default_bundle
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer
from worker.scoring.stopwatch import Stopwatch

OURS = "Tonalog"
LIBROSA = "librosa.load, trim, webrtcvad, transformers pipeline"
STATIC = "soundfile, soxr, webrtcvad, onnxruntime static int8"


def measure(*, n_turns: int = 3, n_notes: int = 24, source: str | None = None) -> dict[str, Any]:
    """Return audio seconds a core second of each chain, and how many times ours the others take.

    The chains take turns note by note, every other turn backwards; a first round over three notes does not count.

    Args:
        n_turns: through all notes.
        n_notes: of `bench_notes`.
        source: folder of speech that they are made of; by default the variable NOTES or the examples.
    """
    found = source or os.environ.get("NOTES")
    notes = make_notes(n_notes, source=Path(found) if found else None)
    scorer, watch = Scorer(load_bundle(default_bundle(Settings()))), Stopwatch(time.process_time)
    score = {
        OURS: lambda note: score_recording(io.BytesIO(note), scorer, stopwatch=watch),
        LIBROSA: chains.build_librosa_chain(),
        STATIC: chains.build_onnx_chain(write_distilhubert()["static"]),
    }
    for note in notes[:3]:
        for one in score.values():
            one(note)
    watch.seconds = dict.fromkeys(watch.seconds, 0.0)
    cpu_s, wall_s = (np.zeros((n_turns, len(notes), len(score))) for _ in range(2))
    for turn in range(n_turns):
        for number, note in enumerate(notes):
            for place in [*range(len(score))][:: -1 if (turn + number) % 2 else 1]:
                wall, cpu = time.perf_counter(), time.process_time()
                [*score.values()][place](note)
                cpu_s[turn, number, place] = time.process_time() - cpu
                wall_s[turn, number, place] = time.perf_counter() - wall
    scored = [score_recording(io.BytesIO(note), scorer) for note in notes]
    audio_s = sum(note.duration_ms for note in scored) / 1e3
    totals = {name: Times(cpu_s[..., place].sum(1), wall_s[..., place].sum(1)) for place, name in enumerate(score)}
    return {
        "n_notes": n_notes,
        "audio_s": audio_s,
        "n_windows": sum(note.n_windows for note in scored),
        "n_scored": sum(note.n_windows > 0 for note in scored),
        "notes": "examples/notes" if not found else Path(found).name,
        "audio_s_per_core_s": {name: spread(audio_s / one.cpu_s) for name, one in totals.items()},
        "audio_s_per_wall_s": {name: spread(audio_s / one.wall_s) for name, one in totals.items()},
        "ratios": {name: ratio_in_turn(one, totals[OURS]) for name, one in totals.items() if name != OURS},
        "ratios_by_note": {
            name: spread((cpu_s[..., place] / cpu_s[..., 0]).ravel()) for place, name in enumerate(score) if place
        },
        "stage_ms_per_audio_s": {name: 1e3 * one / (audio_s * n_turns) for name, one in watch.seconds.items()},
    }
