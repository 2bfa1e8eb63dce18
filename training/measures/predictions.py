"""Predictions of a cross-validation, checked at the door, and their CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.escaping import read_cell, write_cell
from training.corpora.utterance import LABELS
from training.protocols import Protocol

SUM_TOLERANCE = 1e-3  # float32 probabilities, printed and read again
COLUMNS = ("utterance", "speaker", "fold", "truth")


@dataclass(frozen=True)
class Predictions:
    """Probabilities of every tested utterance, each scored by a model that did not train on it.

    Attributes:
        labels: names, in the order of the columns of `probabilities`.
        utterances: str (n,), unique within a fold.
        speakers: str (n,), unique among all corpora.
        folds: str (n,), which split tested the utterance.
        truth: int64 (n,), index into `labels`.
        probabilities: float64 (n, n_labels), in [0, 1], each row sums to 1.

    Raises:
        ValueError: shapes differ, there is no row, a truth is no label, or a row is no distribution.
    """

    labels: tuple[str, ...]
    utterances: NDArray[np.str_]
    speakers: NDArray[np.str_]
    folds: NDArray[np.str_]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check once, so that no measure has to."""
        n_rows = len(self.truth)
        lengths = {len(self.utterances), len(self.speakers), len(self.folds), n_rows}
        if n_rows == 0 or lengths != {n_rows} or self.probabilities.shape != (n_rows, len(self.labels)):
            message = (
                f"columns of {sorted(lengths)} rows and probabilities of shape {self.probabilities.shape}; needed are "
                f"equal lengths of at least 1 and {len(self.labels)} probabilities a row"
            )
            raise ValueError(message)
        strange = (self.truth < 0) | (self.truth >= len(self.labels))
        if strange.any():
            message = f"truth {self.truth[strange][0]} of {self.utterances[strange][0]}; allowed are 0 to {len(self.labels) - 1}"
            raise ValueError(message)
        # Comparisons with NaN are false, so that NaN is no distribution either.
        is_good = (self.probabilities >= 0).all(axis=1) & (np.abs(self.probabilities.sum(axis=1) - 1) <= SUM_TOLERANCE)
        if not is_good.all():
            row = int(np.argmin(is_good))
            message = f"probabilities {self.probabilities[row].tolist()} of {self.utterances[row]} are no distribution"
            raise ValueError(message)

    @property
    def guess(self) -> NDArray[np.int64]:
        """Index of the most probable label, int64 (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


def collect_predictions(protocol: Protocol, probabilities: Sequence[NDArray[np.float64]]) -> Predictions:
    """Join what the models of a protocol's splits said about their tested utterances.

    Args:
        protocol: leak-free by its construction.
        probabilities: float64 (n_tested, n_labels) for each split, rows in the order of `Split.test`, columns in that
            of `LABELS`.

    Raises:
        ValueError: a split has no probabilities or another number of them, or a row is no distribution.
    """
    tested = [(split.name, utterance) for split in protocol.splits for utterance in split.test]
    expected, given = [len(split.test) for split in protocol.splits], [len(rows) for rows in probabilities]
    if given != expected:
        message = f"{given} rows of probabilities, the splits test {expected} utterances"
        raise ValueError(message)
    return Predictions(
        LABELS,
        np.array([utterance.name for _, utterance in tested], dtype=np.str_),
        np.array([utterance.voice for _, utterance in tested], dtype=np.str_),
        np.array([fold for fold, _ in tested], dtype=np.str_),
        np.array([LABELS.index(utterance.label) for _, utterance in tested], dtype=np.int64),
        np.concatenate(list(probabilities)),
    )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write a CSV: utterance, speaker, fold, truth, and one column of probabilities a label.

    A name that a spreadsheet would take for a formula gets an apostrophe in front, which `read_predictions` takes away.
    """
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow((*COLUMNS, *map(write_cell, predictions.labels)))
        for row, chances in enumerate(predictions.probabilities.tolist()):
            label = predictions.labels[int(predictions.truth[row])]
            known = (predictions.utterances[row], predictions.speakers[row], predictions.folds[row], label)
            writer.writerow((*map(write_cell, known), *(f"{p:.6f}" for p in chances)))


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: columns are lacking, a truth has no column, or a row is no distribution.
    """
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        reader = csv.DictReader(file)
        names = tuple(map(read_cell, reader.fieldnames or ()))
        rows = [{read_cell(name): cell for name, cell in row.items()} for row in reader]
    if names[: len(COLUMNS)] != COLUMNS or len(names) == len(COLUMNS):
        message = f"{path} has columns {', '.join(names)}; needed are {', '.join(COLUMNS)} and one a label"
        raise ValueError(message)
    labels = names[len(COLUMNS) :]
    unknown = {row["truth"] for row in rows} - set(labels)
    if unknown:
        message = f"{path} has truth {min(unknown)!r}; allowed are {', '.join(labels)}"
        raise ValueError(message)
    return Predictions(
        labels,
        np.array([read_cell(row["utterance"]) for row in rows], dtype=np.str_),
        np.array([read_cell(row["speaker"]) for row in rows], dtype=np.str_),
        np.array([read_cell(row["fold"]) for row in rows], dtype=np.str_),
        np.array([labels.index(row["truth"]) for row in rows], dtype=np.int64),
        np.array([[float(row[label]) for label in labels] for row in rows], dtype=np.float64).reshape(-1, len(labels)),
    )
