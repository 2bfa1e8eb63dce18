"""What listeners heard in a clip, as shares of the labels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VOTES_FILE = "voice_votes.csv"


def read_votes(path: Path, labels: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """Return the listeners' votes for the labels as shares, float64 (n_labels,), by name of the clip.

    Votes for other emotions do not count, and clips without a vote for one of the labels are left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is lacking.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; needed is a CSV with a column name (of the clip) and one of counts for each of "
            f"{', '.join(labels)}, of listeners who heard the voice alone"
        )
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        lacking = {"name", *labels} - set(reader.fieldnames or ())
        if lacking:
            raise ValueError(f"{path.name} has no column {', '.join(sorted(lacking))}")
        votes = {row["name"]: np.array([float(row[label]) for label in labels]) for row in reader}
    return {name: counts / counts.sum() for name, counts in votes.items() if counts.sum() > 0}
