"""Scores of a corpus from a file: predictions.csv, or the arrays of an .npz."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from training.corpora.utterance import LABELS
from training.measures.predictions import Predictions, read_predictions

ARRAYS = ("probabilities", "truth", "speakers", "names")
UNKNOWN_SPEAKER = "unknown"  # what manifests of corpora without speaker ids have


def read_scores(path: Path) -> Predictions:
    """Read scores of a corpus; the columns of an .npz are in the order of `LABELS`, and one model scored all of it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: columns or arrays are lacking, shapes differ, or a row is no distribution.
    """
    if path.suffix != ".npz":
        return read_predictions(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in ARRAYS if name not in arrays]
            if missing:
                raise ValueError(f"{path} has arrays {sorted(arrays)}; needed are {', '.join(ARRAYS)}")
            probabilities, truth, speakers, names = (arrays[name] for name in ARRAYS)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is no .npz: {error}") from error
    return Predictions(
        LABELS,
        names.astype(np.str_),
        speakers.astype(np.str_),
        np.full(len(truth), "0"),
        truth.astype(np.int64),
        probabilities.astype(np.float64),
    )


def keep_known_speakers(predictions: Predictions) -> Predictions | None:
    """Return the rows whose speaker is known, or None where there is none: who is unknown has no baseline."""
    is_known = predictions.speakers != UNKNOWN_SPEAKER
    if not is_known.any():
        return None
    return Predictions(
        predictions.labels,
        predictions.utterances[is_known],
        predictions.speakers[is_known],
        predictions.folds[is_known],
        predictions.truth[is_known],
        predictions.probabilities[is_known],
    )
