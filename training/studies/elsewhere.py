"""A run's bundle elsewhere: the reference of own baselines, and figures on corpora that it was not trained on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.fitting.jobs import Report, ignore
from training.fitting.recipe import Calibration
from training.measures.predictions import Predictions
from training.studies.left_out import Plan, judge
from training.studies.left_out.baseline import complete_baseline
from training.studies.personal import measure_reference
from trends import MIDDLE_MIX, Baseline, BaselineRule

SOURCE = "CREMA-D, out of fold"


def measure_baseline(predictions: Predictions, calibration: Calibration) -> Baseline:
    """Return the section `baseline` of a bundle: mean log scores of training, and the rule that estimates offsets from them.

    Args:
        predictions: of the corpus of training, each recording by a net that did not train on its speaker.
        calibration: of the bundle.
    """
    rule = BaselineRule(
        MIDDLE_MIX,
        temperature=calibration.relative_temperature,
        uncertain_below=calibration.relative_uncertain_below,
    )
    return Baseline(measure_reference(predictions, rule), rule)


def judge_elsewhere(
    bundle: Path,
    corpora: tuple[tuple[str, Path], ...],
    baseline: Baseline,
    *,
    folder: Path,
    n_processes: int = 1,
    report: Report = ignore,
) -> list[dict[str, Any]]:
    """Return the figures of `tonalog evaluate left-out` for a bundle on labelled corpora, one row a corpus.

    Args:
        bundle: its folder; its manifest has no baseline yet.
        corpora: name and folder of each; none gives no rows.
        baseline: that the bundle will have.
        folder: for scores and predictions.
        n_processes: that score.
        report: told how far it is.
    """
    if not corpora:
        return []
    known = complete_baseline(baseline, source=SOURCE)
    plan = Plan((bundle,), corpora, folder, n_processes=n_processes, baseline=known)
    (judged,) = judge(plan, on_progress=lambda what, n_done, n_all: report(what, n_done, n_all or n_done))
    return [_round(asdict(figures)) for figures in judged.labelled]


def _round(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _round(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value
