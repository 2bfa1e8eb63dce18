"""The averaged nets of the folds as one cross-validation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.bundle.stages import COMPARISON_FILE
from training.corpora import LABELS
from training.data.copies import CLEAN
from training.data.files import read_json, write_json
from training.data.views import name_corpus
from training.fitting.recipe import Calibration
from training.fitting.tuned import JUDGED, JUDGED_FILE, TUNED_FILE
from training.measures import metrics
from training.measures.out_of_fold import OutOfFold, measure_calibration, measure_view
from training.measures.predictions import Predictions, write_predictions
from training.protocols.folds import MIN_FOLDS, N_FOLDS

DEGRADED = ("telephone", "opus16", "snr10")
EVALUATION_FILE, PREDICTIONS_FILE = "evaluation.json", "predictions.csv"
Judged = dict[str, NDArray[Any]]


class RunsIncomplete(Exception):
    """Averaged nets that are too few, or not of different folds, the same seeds and one recipe."""


def read_runs(runs: list[Path]) -> tuple[list[dict[str, Any]], list[Judged]]:
    """Return what was measured of each fold's averaged net and its held-out logits, in order of folds.

    Raises:
        RunsIncomplete: there are under two folds, one comes twice, or seeds or recipes differ.
    """
    pairs = [(read_json(run / TUNED_FILE), run / JUDGED_FILE) for run in runs]
    folds = [facts["fold"] for facts, _ in pairs]
    if len(set(folds)) < MIN_FOLDS or len(set(folds)) < len(folds) or None in folds:
        raise RunsIncomplete(f"runs of folds {folds}, needed are {MIN_FOLDS} to {N_FOLDS} different ones")
    if len({json.dumps([facts["seeds"], facts["recipe"]]) for facts, _ in pairs}) > 1:
        raise RunsIncomplete("runs with different seeds or recipes, needed are the same")
    pairs.sort(key=lambda pair: int(pair[0]["fold"]))
    return [facts for facts, _ in pairs], [dict(np.load(judged)) for _, judged in pairs]


def join_runs(held: list[Judged], name: str) -> OutOfFold:
    """Return one view's logits over all runs, each by the net that was not trained on the speaker."""
    truth = _join(held, name, "truth")
    run = np.repeat(np.arange(len(held)), [len(item[f"{name}/truth"]) for item in held])
    return OutOfFold(_join(held, name, "logits"), truth, run)


def _join(held: list[Judged], name: str, part: str) -> NDArray[Any]:
    return np.concatenate([item[f"{name}/{part}"] for item in held])


def measure_cost(held: list[Judged], name: str) -> float:
    """Return the UA that a distortion costs: clean minus distorted over the same utterances, all folds together."""
    logits = []
    for item in held:
        rows = {key: row for row, key in enumerate(item["clean/names"].tolist())}
        logits.append(item["clean/logits"][[rows[key] for key in item[f"{name}/names"].tolist()]])
    distorted = join_runs(held, name)
    clean = metrics.measure_ua(np.concatenate(logits), distorted.truth)
    return round(clean - metrics.measure_ua(distorted.logits, distorted.truth), 4)


def _spread(values: NDArray[np.float64]) -> list[float]:
    """Return mean and deviation (n - 1), rounded; the deviation of one value is 0."""
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return [round(float(values.mean()), 4), round(deviation, 4)]


def _write_clean(facts: list[dict[str, Any]], held: list[Judged], temperature: float, target: Path) -> None:
    names, speakers, truth, logits = (
        _join(held, CLEAN.name, part) for part in ("names", "speakers", "truth", "logits")
    )
    folds = np.concatenate(
        [
            np.full(len(item[f"{CLEAN.name}/truth"]), f"fold {fact['fold']}")
            for fact, item in zip(facts, held, strict=True)
        ]
    )
    probabilities = metrics.apply_softmax(logits, temperature)
    write_predictions(Predictions(LABELS, names, speakers, folds, truth, probabilities), target)


def measure_left_out(run: Path) -> dict[str, Any]:
    """Return the UAR on a corpus that an averaged net was tuned without: of the mean, and of each seed alone with its deviation.

    Args:
        run: folder that `average_runs` wrote.
    """
    facts = read_json(run / TUNED_FILE)
    seeds = np.array([item[CLEAN.name] for item in facts["runs"]])
    return {"uar": facts["tuned"][CLEAN.name], "by_seed": _spread(seeds), "frozen": facts["frozen"][CLEAN.name]}


def measure_ordinary(run: Path, calibration: Calibration) -> dict[str, dict[str, Any]]:
    """Return how an averaged net calls ordinary speech of sets that it was tuned without: shares of each set's clean windows.

    Args:
        run: folder that `average_runs` wrote.
        calibration: that it is judged at.
    """
    found = read_left_out(run, calibration.temperature)
    sets = np.array([name_corpus(speaker) for speaker in found.speakers.tolist()])
    is_neutral = found.probabilities.argmax(axis=1) == LABELS.index("neutral")
    is_certain = found.probabilities.max(axis=1) >= calibration.uncertain_below
    return {
        name: {
            "n_windows": int((sets == name).sum()),
            "neutral": round(float(is_neutral[sets == name].mean()), 4),
            "uncertain": round(float((~is_certain)[sets == name].mean()), 4),
            "certain_other": round(float((is_certain & ~is_neutral)[sets == name].mean()), 4),
        }
        for name in np.unique(sets).tolist()
    }


def sum_up(
    runs: list[Path],
    out: Path,
    *,
    calibration: Calibration,
    without: Mapping[str, Path] | None = None,
    ordinary: Sequence[Path] = (),
) -> dict[str, Any]:
    """Return what the runs measured together; write `evaluation.json` and the clean view as `predictions.csv`.

    Args:
        runs: folders that `average_runs` wrote, one a fold.
        out: folder to write.
        calibration: of the bundle.
        without: folders that it wrote for nets without a further corpus, by its layout.
        ordinary: folders that it wrote for nets without some sets of ordinary speech.

    Raises:
        RunsIncomplete: as `read_runs`.
    """
    facts, held = read_runs(runs)
    scored = {name: join_runs(held, name) for name in JUDGED}
    # By seed alone: mean over folds and seeds, and deviation over seeds of the folds' mean.
    by_seed = {name: np.mean([[run[name] for run in fact["runs"]] for fact in facts], axis=0) for name in JUDGED}
    result: dict[str, Any] = {
        "n_speakers": len(set(_join(held, CLEAN.name, "speakers").tolist())),
        "folds": [fact["fold"] for fact in facts],
        "seeds": facts[0]["seeds"],
        "recipe": facts[0]["recipe"],
        **{name: measure_view(view) for name, view in scored.items()},
        "left_out": {corpus: measure_left_out(run) for corpus, run in (without or {}).items()},
        "ordinary": {name: shares for run in ordinary for name, shares in measure_ordinary(run, calibration).items()},
        "by_seed": {name: _spread(values) for name, values in by_seed.items()},
        "frozen": {name: round(float(np.mean([fact["frozen"][name] for fact in facts])), 4) for name in JUDGED},
        "cost": {name: measure_cost(held, name) for name in DEGRADED},
        "calibration": measure_calibration(
            scored, temperature=calibration.temperature, uncertain_below=calibration.uncertain_below
        ),
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / EVALUATION_FILE, result)
    _write_clean(facts, held, calibration.temperature, out / PREDICTIONS_FILE)
    return result


def join_comparisons(folders: list[Path]) -> dict[str, Any]:
    """Return what int8 changes as one: UA of each fold's own net, averaged over folds.

    Args:
        folders: of the steps that compared a fold's nets, at least one.
    """
    facts = [read_json(folder / COMPARISON_FILE) for folder in folders]
    n_windows = sum(item["n_windows"] for item in facts)
    changes = [round(item["ua_int8"] - item["ua_float32"], 4) for item in facts]
    return {
        "folds": [item["fold"] for item in facts],
        "n_windows": n_windows,
        "same_label": round(sum(item["same_label"] * item["n_windows"] for item in facts) / n_windows, 4),
        "ua_float32": round(float(np.mean([item["ua_float32"] for item in facts])), 4),
        "ua_int8": round(float(np.mean([item["ua_int8"] for item in facts])), 4),
        "ua_change": round(float(np.mean(changes)), 4),
        "median_dp": round(float(np.mean([item["median_probability_change"] for item in facts])), 4),
        "ua_changes": changes,
    }


def read_left_out(run: Path, temperature: float) -> Predictions:
    """Return what an averaged net scores who was left out of it.

    Args:
        run: folder of the net.
        temperature: over 0; logits are divided by it.
    """
    held = dict(np.load(run / JUDGED_FILE))
    names, speakers, truth, logits = (held[f"{CLEAN.name}/{part}"] for part in ("names", "speakers", "truth", "logits"))
    return Predictions(
        LABELS, names, speakers, np.full(len(truth), "all"), truth, metrics.apply_softmax(logits, temperature)
    )
