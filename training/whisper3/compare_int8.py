"""Measure the int8 encoder against float32: held-out recall, batch and speed on one thread; it ships nothing."""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from training import metrics
from training.corpora import LABELS
from training.protocols.folds import N_FOLDS, assign_folds
from training.whisper3.copies import CLEAN
from training.whisper3.evaluate import encode_labels, fit_head_on
from training.whisper3.features import FLOAT_VIEW, Features, load_features, open_session
from training.whisper3.heads import compute_logits

log = logging.getLogger(__name__)
MAX_UA_CHANGE = 0.01  # int8 against float32 on unheard speakers: beyond it nothing may ship.
N_ROUNDS = 9
PADDED_SAMPLES = 128_000


def measure_speed(sessions: dict[str, ort.InferenceSession]) -> dict[str, tuple[float, float]]:
    """Return median wall and CPU ms of one 8 s window, the sessions taking turns in one process."""
    rng = np.random.default_rng(0)
    feed = {"waveform": rng.standard_normal((1, PADDED_SAMPLES)).astype(np.float32) * np.float32(0.1)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sessions}
    for _ in range(N_ROUNDS):
        for name, session in sessions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            session.run(None, feed)
            times[name].append(((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3))
    medians = {name: np.median(np.array(rows[1:]), axis=0).tolist() for name, rows in times.items()}
    return {name: (wall, cpu) for name, (wall, cpu) in medians.items()}


def measure_batch_effect(session: ort.InferenceSession) -> float:
    """Return the largest change of any output when windows of other lengths and loudness share the batch."""
    rng = np.random.default_rng(0)
    batch = rng.standard_normal((6, PADDED_SAMPLES)).astype(np.float32)
    for row, (length, level) in enumerate(((128, 0.9), (16, 0.01), (40, 0.3), (64, 0.001), (8, 0.9), (100, 0.1))):
        batch[row] *= np.float32(level / 4)
        batch[row, length * 1000 :] = 0.0
    together = session.run(None, {"waveform": batch})
    alone = [session.run(None, {"waveform": row[None]}) for row in batch]
    apart = (np.concatenate([one[k] for one in alone]) for k in range(len(together)))
    return max(float(np.abs(a - b).max()) for a, b in zip(together, apart, strict=True))


def score_by_fold(view: Features, fold: NDArray[np.int64], *, heard: Features | None = None) -> NDArray[np.float64]:
    """Return out-of-fold logits of a view by heads trained on it, or on what `heard` made of the same windows."""
    logits = np.zeros((fold.size, len(LABELS)))
    labels = encode_labels(view.kinds)
    for number in range(N_FOLDS):
        train, test = fold != number, fold == number
        head = fit_head_on((heard or view).statistics[train], labels[train], seed=number)
        logits[test] = compute_logits(head, view.statistics[test])
    return logits


def measure_accuracy(view: Features, fold: NDArray[np.int64], logits: NDArray[np.float64]) -> float:
    """Return the mean unweighted accuracy over folds."""
    labels, guess = encode_labels(view.kinds), logits.argmax(axis=1)
    tables = [metrics.count_confusion(labels[fold == k], guess[fold == k], len(LABELS)) for k in range(N_FOLDS)]
    return float(np.mean([metrics.measure_unweighted_accuracy(table) for table in tables]))


def compare_accuracy(features: Path) -> dict[str, Any]:
    """Print and return the accuracy of both encoders on the same windows, each with heads of its own."""
    exact, whole = load_features(features, FLOAT_VIEW), load_features(features, CLEAN.name)
    rows = {name: row for row, name in enumerate(whole.names.tolist())}
    chosen = np.array([rows[name] for name in exact.names.tolist()])
    small = Features(*(values[chosen] for values in vars(whole).values()))
    folds = assign_folds(whole.speakers.tolist())
    fold = np.array([folds[speaker] for speaker in exact.speakers.tolist()])
    scored = {"float32": score_by_fold(exact, fold), "int8": score_by_fold(small, fold)}
    crossed = score_by_fold(exact, fold, heard=small)
    ua = {name: measure_accuracy(exact, fold, logits) for name, logits in scored.items()}
    result = {
        "n_windows": int(fold.size),
        "ua_float32": round(ua["float32"], 4),
        "ua_int8": round(ua["int8"], 4),
        "ua_change": round(ua["int8"] - ua["float32"], 4),
        "ua_int8_heads_on_float32": round(measure_accuracy(exact, fold, crossed), 4),
        "same_label": round(float((scored["int8"].argmax(1) == crossed.argmax(1)).mean()), 4),
    }
    log.info("encoders, clean windows only, 5 folds: %s", json.dumps(result))
    return result


def main() -> None:
    """Compare, print, and write int8.json; fail where int8 costs too much.

    Raises:
        SystemExit: int8 moves the unweighted accuracy by more than `MAX_UA_CHANGE`.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="folder that training.whisper3.features filled")
    parser.add_argument("--out", type=Path, required=True, help="int8.json to write")
    arguments = parser.parse_args()
    sessions = {
        name: open_session(arguments.features / f"encoder-{name}.onnx", threads=1) for name in ("float32", "int8")
    }
    result = compare_accuracy(arguments.features)
    result["ms"] = {name: [round(wall, 1), round(cpu, 1)] for name, (wall, cpu) in measure_speed(sessions).items()}
    result["batch_effect"] = {name: measure_batch_effect(session) for name, session in sessions.items()}
    log.info("8 s window, one thread, median wall and CPU ms: %s", json.dumps(result["ms"]))
    log.info("largest effect of a window's neighbours on its statistics: %s", json.dumps(result["batch_effect"]))
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if abs(result["ua_change"]) > MAX_UA_CHANGE:
        raise SystemExit(f"int8 moves UA by {result['ua_change']}; at most {MAX_UA_CHANGE} is allowed")


if __name__ == "__main__":
    main()
