"""Export a tuned run in float32 and static int8, and compare both on speakers it never heard; it trains nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.bundle.encoder import build_encoder
from training.corpora import HeardCorpus
from training.data.copies import CLEAN, make_copy
from training.data.features import open_session
from training.data.files import write_json
from training.fitting.mean import load_head
from training.fitting.tune import TUNED_FILE, measure_ua
from training.measures.metrics import apply_softmax
from training.measures.out_of_fold import encode_labels
from training.protocols.folds import assign_folds

log = logging.getLogger(__name__)
SMALL_FILE = "int8.json"


def compare_small(
    run: Path, corpus: HeardCorpus, *, on_count: Callable[[int, int], None] = lambda *_: None
) -> dict[str, Any]:
    """Print and write `int8.json`: what int8 changes for the speakers whom a fold's run left out.

    Args:
        run: folder that `tune_fold` wrote for a fold.
        corpus: the one that it was tuned on.
        on_count: told how many utterances are done, and of how many.
    """
    fold = json.loads((run / TUNED_FILE).read_text(encoding="utf-8"))["fold"]
    folds = assign_folds(utterance.speaker for utterance in corpus.utterances)
    heard = tuple(u for u in corpus.utterances if folds[u.speaker] != fold)
    unheard = tuple(u for u in corpus.utterances if folds[u.speaker] == fold)
    paths = build_encoder(run / "encoder.safetensors", heard, run)
    sessions = {name: open_session(path, threads=1) for name, path in paths.items()}
    head = load_head(run)
    statistics: dict[str, list[Any]] = {name: [] for name in sessions}
    kinds = []
    for window in make_copy(unheard, CLEAN):
        kinds.append(window.kind)
        for name, session in sessions.items():
            statistics[name].append(session.run(None, {"waveform": window.signal[None]})[0][0])
        on_count(len(kinds), len(unheard))
    truth = encode_labels(np.array(kinds))
    logits = {name: head(torch.from_numpy(np.stack(rows))).double().numpy() for name, rows in statistics.items()}
    ua = {name: round(measure_ua(truth, one), 4) for name, one in logits.items()}
    moved = np.abs(apply_softmax(logits["int8"]) - apply_softmax(logits["float32"])).max(axis=1)
    result = {
        "fold": fold,
        "n_windows": len(kinds),
        "ua_float32": ua["float32"],
        "ua_int8": ua["int8"],
        "ua_change": round(ua["int8"] - ua["float32"], 4),
        "same_label": round(float((logits["int8"].argmax(1) == logits["float32"].argmax(1)).mean()), 4),
        "median_dp": round(float(np.median(moved)), 4),
    }
    log.info("int8 against float32, unheard speakers: %s", json.dumps(result))
    write_json(run / SMALL_FILE, result)
    return result


def join_small(runs: Sequence[Path]) -> dict[str, Any]:
    """Return what `compare_small` found of some folds as one: UA of each fold's own net, averaged over folds.

    Args:
        runs: folders with an `int8.json`, at least one.
    """
    said = [json.loads((run / SMALL_FILE).read_text(encoding="utf-8")) for run in runs]
    mean = {
        key: float(np.mean([one[key] for one in said])) for key in ("ua_float32", "ua_int8", "ua_change", "median_dp")
    }
    n_windows = sum(one["n_windows"] for one in said)
    same = sum(one["same_label"] * one["n_windows"] for one in said) / n_windows
    found = {"folds": [one["fold"] for one in said], "n_windows": n_windows, "same_label": round(same, 4)}
    return {
        **found,
        **{key: round(value, 4) for key, value in mean.items()},
        "ua_changes": [one["ua_change"] for one in said],
    }
