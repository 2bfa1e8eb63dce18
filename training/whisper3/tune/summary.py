"""Sum up one run a fold as `training.whisper3.evaluate` does for a frozen encoder; it hears no audio and trains nothing."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from training import metrics
from training.corpora import LABELS
from training.protocols.folds import MIN_FOLDS, N_FOLDS, SEED
from training.report.predictions import Predictions, write_predictions
from training.whisper3.copies import CLEAN
from training.whisper3.evaluate import OutOfFold, calibrate, report_view
from training.whisper3.tune.fit import JUDGED, measure_ua

log = logging.getLogger(__name__)
DEGRADED = ("telephone", "opus16", "snr10")
FOREIGN = "emodb-clean"
PROTOCOL = (
    "protocol: CREMA-D, 4 labels, {speakers} tested actors, 5 folds of 91 (sorted, seed-{seed} shuffle, i % 5); encoder layers 2 and 3 "
    "and the head of a fold are tuned on the copies of the other four and never heard its actors; run seed {run}; float32; "
    "folds tested: {folds}"
)


class RunsIncomplete(Exception):
    """Fold runs that are too few, or not of different folds with one seed and one recipe."""


def read_runs(runs: list[Path]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what each fold's run said and its held-out logits, in order of folds.

    Raises:
        RunsIncomplete: there are under two folds, a fold is twice, or seeds or recipes differ.
    """
    pairs = [(json.loads((run / "tune.json").read_text(encoding="utf-8")), run / "judged.npz") for run in runs]
    folds = [one["fold"] for one, _ in pairs]
    if len(folds) < MIN_FOLDS or len(set(folds)) < len(folds) or None in folds:
        raise RunsIncomplete(f"runs of folds {folds}, needed are {MIN_FOLDS} to {N_FOLDS} different ones")
    pairs.sort(key=lambda pair: int(pair[0]["fold"]))
    said = [one for one, _ in pairs]
    if len({json.dumps([one["seed"], one["recipe"]]) for one in said}) > 1:
        raise RunsIncomplete("runs with different seeds or recipes, needed is one of each")
    return said, [dict(np.load(judged)) | {"fold": one["fold"]} for one, judged in pairs]


def join_folds(held: list[dict[str, Any]], name: str) -> OutOfFold:
    """Return one view's logits over all folds that were run, each by the net that never heard the speaker."""
    fold = [np.full(len(one[f"{name}/truth"]), one["fold"]) for one in held]
    logits, truth = (np.concatenate([one[f"{name}/{part}"] for one in held]) for part in ("logits", "truth"))
    return OutOfFold(logits, truth, np.concatenate(fold))


def measure_cost(held: list[dict[str, Any]], name: str) -> float:
    """Return the UA that a distortion costs: clean minus distorted over the same utterances, all folds together."""
    logits = []
    for one in held:
        rows = {key: row for row, key in enumerate(one["clean/names"].tolist())}
        logits.append(one["clean/logits"][[rows[key] for key in one[f"{name}/names"].tolist()]])
    distorted = join_folds(held, name)
    return round(measure_ua(distorted.truth, np.concatenate(logits)) - measure_ua(distorted.truth, distorted.logits), 4)


def _report_foreign(said: list[dict[str, Any]]) -> dict[str, list[float]]:
    recalls = [one["tuned"][FOREIGN] for one in said]
    log.info("EmoDB zero-shot UAR, mean of the fold nets: %.3f+-%.3f", np.mean(recalls), np.std(recalls, ddof=1))
    return {"uar": [round(float(np.mean(recalls)), 4), round(float(np.std(recalls, ddof=1)), 4)]}


def _write_clean(held: list[dict[str, Any]], scored: OutOfFold, temperature: float, target: Path) -> None:
    names, speakers = (np.concatenate([one[f"clean/{part}"] for one in held]) for part in ("names", "speakers"))
    folds = np.array([f"fold {number}" for number in scored.fold], dtype=np.str_)
    probabilities = metrics.apply_softmax(scored.logits, temperature)
    write_predictions(Predictions(LABELS, names, speakers, folds, scored.truth, probabilities), target)


def sum_up(runs: list[Path], out: Path) -> dict[str, Any]:
    """Print what the runs measured together; write `evaluation.json` and the clean view as `predictions.csv`.

    Args:
        runs: folders that `tune_fold` wrote, one a fold.
        out: folder to write.

    Raises:
        RunsIncomplete: the runs are not of two or more different folds.
    """
    said, held = read_runs(runs)
    scored = {name: join_folds(held, name) for name in JUDGED if name != FOREIGN}
    n_speakers = len({speaker for one in held for speaker in one["clean/speakers"].tolist()})
    folds = [one["fold"] for one in said]
    log.info(PROTOCOL.format(speakers=n_speakers, seed=SEED, run=said[0]["seed"], folds=folds))
    result: dict[str, Any] = {"n_speakers": n_speakers, "folds": folds, "recipe": said[0]["recipe"]}
    result |= {name: report_view(name, one) for name, one in scored.items()}
    result["emodb"] = _report_foreign(said)
    result["frozen"] = {name: round(float(np.mean([one["frozen"][name] for one in said])), 4) for name in JUDGED}
    result["cost"] = {name: measure_cost(held, name) for name in DEGRADED}
    log.info("the same copies on the untuned encoder, UA: %s", json.dumps(result["frozen"]))
    log.info("UA lost on the same utterances: %s", json.dumps(result["cost"]))
    result["calibration"] = calibrate(scored)
    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _write_clean(held, scored[CLEAN.name], result["calibration"]["temperature"], out / "predictions.csv")
    return result
