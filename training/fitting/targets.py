"""What a window should be heard as: the acted label, softened by what listeners heard; it trains nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS
from training.data.frames import Frames

Item = tuple[Frames, int]


def find_label(item: Item) -> int:
    """Return the index of a window's acted label."""
    return LABELS.index(str(item[0].windows.kinds[item[1]]))


def soften(item: Item, votes: Mapping[str, NDArray[np.float64]], *, share: float) -> NDArray[np.float32]:
    """Return a window's target, float32 (n_labels,), summing to 1.

    Args:
        item: the copy and the row in it.
        votes: shares by clip; a window joined of several clips has none and stays as acted.
        share: of the votes in the target, 0 to 1.
    """
    acted = np.eye(len(LABELS))[find_label(item)]
    heard = votes.get(str(item[0].windows.names[item[1]]))
    target = acted if heard is None else (1.0 - share) * acted + share * heard
    return np.asarray(target, dtype=np.float32)
