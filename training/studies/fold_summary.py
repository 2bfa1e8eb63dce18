"""Sum up the averaged nets of the folds as one cross-validation; it hears no audio and trains nothing."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from training.corpora import LABELS
from training.data.copies import CLEAN
from training.data.files import write_json
from training.data.views import FOREIGN
from training.fitting.tune import JUDGED, JUDGED_FILE, TUNED_FILE, measure_ua
from training.measures import metrics
from training.measures.out_of_fold import OutOfFold, calibrate, report_view
from training.measures.predictions import Predictions, write_predictions
from training.protocols.folds import MIN_FOLDS, N_FOLDS, SEED

log = logging.getLogger(__name__)
DEGRADED = ("telephone", "opus16", "snr10")
EVALUATION_FILE, PREDICTIONS_FILE = "evaluation.json", "predictions.csv"
PROTOCOL = (
    "protocol: CREMA-D, 4 labels, {speakers} tested actors, 5 folds of 91 (sorted, seed-{seed} shuffle, i % 5); encoder layers 2 and 3 "
    "and the head of a fold are tuned on the copies of the other four and never heard its actors; a fold's net is the mean of "
    "runs with seeds {runs}; float32; folds tested: {folds}"
)


class RunsIncomplete(Exception):
    """Averaged nets that are too few, or not of different folds, the same seeds and one recipe."""


def read_runs(runs: list[Path]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what was said of each fold's averaged net and its held-out logits, in order of folds.

    Raises:
        RunsIncomplete: there are under two folds, one comes twice, or seeds or recipes differ.
    """
    pairs = [(json.loads((run / TUNED_FILE).read_text(encoding="utf-8")), run / JUDGED_FILE) for run in runs]
    folds = [one["fold"] for one, _ in pairs]
    if len(set(folds)) < MIN_FOLDS or len(set(folds)) < len(folds) or None in folds:
        raise RunsIncomplete(f"runs of folds {folds}, needed are {MIN_FOLDS} to {N_FOLDS} different ones")
    if len({json.dumps([one["seeds"], one["recipe"]]) for one, _ in pairs}) > 1:
        raise RunsIncomplete("runs with different seeds or recipes, needed are the same")
    pairs.sort(key=lambda pair: int(pair[0]["fold"]))
    said = [one for one, _ in pairs]
    known = [{"fold": one["fold"], "run": index} for index, one in enumerate(said)]
    return said, [dict(np.load(judged)) | mine for (_, judged), mine in zip(pairs, known, strict=True)]


def join_runs(held: list[dict[str, Any]], name: str) -> OutOfFold:
    """Return one view's logits over all runs, each by the net that never heard the speaker."""
    run = [np.full(len(one[f"{name}/truth"]), one["run"]) for one in held]
    logits, truth = (np.concatenate([one[f"{name}/{part}"] for one in held]) for part in ("logits", "truth"))
    return OutOfFold(logits, truth, np.concatenate(run))


def measure_cost(held: list[dict[str, Any]], name: str) -> float:
    """Return the UA that a distortion costs: clean minus distorted over the same utterances, all folds together."""
    logits = []
    for one in held:
        rows = {key: row for row, key in enumerate(one["clean/names"].tolist())}
        logits.append(one["clean/logits"][[rows[key] for key in one[f"{name}/names"].tolist()]])
    distorted = join_runs(held, name)
    return round(measure_ua(distorted.truth, np.concatenate(logits)) - measure_ua(distorted.truth, distorted.logits), 4)


def _report_foreign(said: list[dict[str, Any]]) -> dict[str, list[float]]:
    recalls = [one["tuned"][FOREIGN] for one in said]
    log.info("EmoDB zero-shot UAR, mean of the fold nets: %.3f+-%.3f", np.mean(recalls), np.std(recalls, ddof=1))
    return {"uar": [round(float(np.mean(recalls)), 4), round(float(np.std(recalls, ddof=1)), 4)]}


def _report_seeds(said: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return each view's UA by nets of one seed alone: mean over folds and seeds, deviation over seeds of the folds' mean."""
    found = {}
    for name in JUDGED:
        by_seed = np.array([[run[name] for run in one["runs"]] for one in said]).mean(axis=0)
        spread = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else 0.0
        found[name] = [round(float(by_seed.mean()), 4), round(spread, 4)]
    log.info("nets of one seed alone, UA, mean and deviation over seeds: %s", json.dumps(found))
    return found


def _write_clean(held: list[dict[str, Any]], temperature: float, target: Path) -> None:
    names, speakers, truth, logits = (
        np.concatenate([one[f"{CLEAN.name}/{part}"] for one in held])
        for part in ("names", "speakers", "truth", "logits")
    )
    folds = np.array([f"fold {one['fold']}" for one in held for _ in one[f"{CLEAN.name}/truth"]], dtype=np.str_)
    probabilities = metrics.apply_softmax(logits, temperature)
    write_predictions(Predictions(LABELS, names, speakers, folds, truth, probabilities), target)


def sum_up(runs: list[Path], out: Path) -> dict[str, Any]:
    """Print what the runs measured together; write `evaluation.json` and the clean view as `predictions.csv`.

    Args:
        runs: folders that `average_runs` wrote, one a fold.
        out: folder to write.

    Raises:
        RunsIncomplete: as `read_runs`.
    """
    said, held = read_runs(runs)
    scored = {name: join_runs(held, name) for name in JUDGED if name != FOREIGN}
    n_speakers = len({speaker for one in held for speaker in one["clean/speakers"].tolist()})
    folds, seeds = [one["fold"] for one in said], said[0]["seeds"]
    log.info(PROTOCOL.format(speakers=n_speakers, seed=SEED, runs=seeds, folds=folds))
    result: dict[str, Any] = {"n_speakers": n_speakers, "folds": folds, "seeds": seeds, "recipe": said[0]["recipe"]}
    result |= {name: report_view(name, one) for name, one in scored.items()}
    result["emodb"] = _report_foreign(said)
    result["by_seed"] = _report_seeds(said)
    result["frozen"] = {name: round(float(np.mean([one["frozen"][name] for one in said])), 4) for name in JUDGED}
    result["cost"] = {name: measure_cost(held, name) for name in DEGRADED}
    log.info("the same copies on the untuned encoder, UA: %s", json.dumps(result["frozen"]))
    log.info("UA lost on the same utterances: %s", json.dumps(result["cost"]))
    result["calibration"] = calibrate(scored)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / EVALUATION_FILE, result)
    _write_clean(held, result["calibration"]["temperature"], out / PREDICTIONS_FILE)
    return result
