"""Measure the finished graph as serving runs it: against its float32 twin, and on new sounds; it judges nothing."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.bundle.graph_cost import PADDED_SAMPLES, measure_batch_effect, measure_speed
from training.corpora import LABELS
from training.data.copies import Window, normalise
from training.data.features import open_session
from training.measures import metrics
from training.measures.out_of_fold import encode_labels
from training.sounds.nonspeech import MAKERS, SAMPLING_RATE_HZ, make_sound
from worker.scoring.onnx_runtime import ort

log = logging.getLogger(__name__)
FRESH_SEED = 97
Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]


def score_padded(session: ort.InferenceSession, windows: list[Window]) -> Outputs:
    """Score windows as serving does: one at a time, zero-padded to 8 s."""
    rows = []
    for window in windows:
        padded = np.pad(window.signal, (0, PADDED_SAMPLES - window.signal.size))[None]
        rows.append(session.run(["probabilities", "speech"], {"waveform": padded}))
    return np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows])


def check_pair(exact: Path, small: Path, windows: list[Window]) -> dict[str, Any]:
    """Compare the final graph with the same heads on the float32 encoder, as serving runs them, and print it."""
    sessions = {"float32": open_session(exact, threads=1), "int8": open_session(small, threads=1)}
    scored = {name: score_padded(session, windows) for name, session in sessions.items()}
    truth = encode_labels(np.array([window.kind for window in windows]))
    ua = {
        name: metrics.measure_unweighted_accuracy(
            metrics.count_confusion(truth, probabilities.argmax(axis=1), len(LABELS))
        )
        for name, (probabilities, _) in scored.items()
    }
    found = {
        "n_windows": len(windows),
        "ua_change_on_training_windows": round(ua["int8"] - ua["float32"], 4),
        "max_dp": round(float(np.abs(scored["int8"][0] - scored["float32"][0]).max()), 4),
        "max_dspeech": round(float(np.abs(scored["int8"][1] - scored["float32"][1]).max()), 4),
        "lowest_speech": round(float(scored["int8"][1].min()), 4),
        "batch_effect": measure_batch_effect(sessions["int8"]),
        "ms": {name: [round(wall, 1), round(cpu, 1)] for name, (wall, cpu) in measure_speed(sessions).items()},
        "megabytes": round(small.stat().st_size / 1e6, 2),
    }
    log.info("final graph against its float32 twin: %s", json.dumps(found))
    return found


def check_sounds(small: Path, threshold: float, *, n_fresh: int) -> dict[str, float]:
    """Return and print the share of freshly seeded sounds that the final graph accepts, by kind."""
    session = open_session(small, threads=1)
    accepted: dict[str, float] = {}
    for index, kind in enumerate(sorted(MAKERS)):
        windows = []
        for turn in range(n_fresh):
            rng = np.random.default_rng([FRESH_SEED, index, turn])
            signal = normalise(make_sound(kind, int(rng.uniform(1.0, 8.0) * SAMPLING_RATE_HZ), rng))
            windows.append(Window(signal, "sound", kind, str(turn)))
        accepted[kind] = float((score_padded(session, windows)[1] >= threshold).mean())
    log.info("final gate, accepted share of %d new sounds a kind: %s", n_fresh, json.dumps(accepted))
    return accepted
