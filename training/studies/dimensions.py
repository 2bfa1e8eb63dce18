"""Measure how well a run's arousal and valence hold on speakers that its nets never heard; it trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.bundle.train import find_votes
from training.corpora import LABELS
from training.corpora.votes import read_votes
from training.data.views import FOREIGN
from training.fitting.model_plan import ModelPlan
from training.fitting.tune import JUDGED_FILE
from training.measures import metrics
from training.measures.predictions import Predictions, read_predictions
from training.measures.validity import Validity, judge_labels, judge_votes

CREMA_D, EMODB = "CREMA-D, out of fold", "EmoDB, mean of the fold nets"


def measure_dimensions(
    plan: ModelPlan, runs: Sequence[Path], predictions: Path, *, temperature: float
) -> list[dict[str, Any]]:
    """Return each measure with its corpus, utterances, value and interval of 95 %, drawing whole speakers.

    Args:
        plan: of the run, whose corpus has the listeners' votes; without them their rows are left out.
        runs: folders of the averaged nets, one a fold, each of which judged EmoDB.
        predictions: CSV of CREMA-D out of fold, at this temperature.
        temperature: over 0, as the finished graph has it.

    Raises:
        FileNotFoundError: there are no votes, and the recipe gives them a share.
        ValueError: the votes lack a column, or no utterance has any.
    """
    known = read_predictions(predictions)
    found = [_tell(CREMA_D, one) for one in judge_labels(known)]
    votes = find_votes(plan)
    if plan.recipe.tune.votes or votes.is_file():
        found += [_tell(CREMA_D, one) for one in judge_votes(known, read_votes(votes, LABELS))]
    return found + [_tell(EMODB, one) for one in judge_labels(read_foreign(runs, temperature))]


def read_foreign(runs: Sequence[Path], temperature: float) -> Predictions:
    """Return what the fold nets say of EmoDB on average.

    Args:
        runs: folders of the averaged nets; each judged the same utterances in the same order.
        temperature: over 0; logits are divided by it before probabilities are averaged.
    """
    held = [dict(np.load(run / JUDGED_FILE)) for run in runs]
    names, speakers, truth = (held[0][f"{FOREIGN}/{part}"] for part in ("names", "speakers", "truth"))
    chances = np.mean([metrics.apply_softmax(one[f"{FOREIGN}/logits"], temperature) for one in held], axis=0)
    return Predictions(LABELS, names, speakers, np.full(len(truth), "all"), truth, chances)


def _tell(corpus: str, one: Validity) -> dict[str, Any]:
    value, low, high = (round(number, 4) for number in (one.value, one.interval.low, one.interval.high))
    return {"measure": one.name, "corpus": corpus, "n_utterances": one.n_rows, "value": value, "low": low, "high": high}
