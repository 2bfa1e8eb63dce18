"""Arousal and valence of a run's nets, held against labels and listeners' votes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.bundle.stages import BundleSteps
from training.corpora import LABELS, find_layout
from training.corpora.votes import read_votes
from training.fitting.stages import find_votes
from training.measures.predictions import read_predictions
from training.measures.validity import Validity, judge_labels, judge_votes
from training.studies.folds import read_left_out

CREMA_D, LEFT_OUT = "CREMA-D, out of fold", "left out"


def measure_dimensions(
    steps: BundleSteps, nets: Mapping[str, Path], predictions: Path, temperature: float
) -> list[dict[str, Any]]:
    """Return each measure of arousal and valence with corpus, utterances, value and interval of 95 %, drawing whole speakers.

    Args:
        steps: of the run, whose first corpus has the listeners' votes; without them their rows are left out.
        nets: folders of averaged nets by the further corpus that each was tuned without.
        predictions: CSV of CREMA-D out of fold, at this temperature.
        temperature: over 0, as the finished graph has it.

    Raises:
        FileNotFoundError: there are no votes, and the recipe gives them a share.
        ValueError: the votes lack a column, or no utterance has any.
    """
    known = read_predictions(predictions)
    result = [_describe(CREMA_D, item) for item in judge_labels(known)]
    votes = find_votes(steps.source)
    if steps.plan.stages.tune.votes or votes.is_file():
        result += [_describe(CREMA_D, item) for item in judge_votes(known, read_votes(votes, LABELS))]
    for name, net in nets.items():
        corpus = f"{find_layout(name).title}, {LEFT_OUT}"
        result += [_describe(corpus, item) for item in judge_labels(read_left_out(net, temperature))]
    return result


def _describe(corpus: str, item: Validity) -> dict[str, Any]:
    value, low, high = (round(number, 4) for number in (item.value, item.interval.low, item.interval.high))
    return {
        "measure": item.name,
        "corpus": corpus,
        "n_utterances": item.n_rows,
        "value": value,
        "low": low,
        "high": high,
    }
