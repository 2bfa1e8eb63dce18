"""The scale on which a person's days are compared: log odds, so that a step means the same near 0 as in the middle."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLOOR = 0.01  # whether a model says 0.01 or 0.0001 is nothing that anybody hears, but 4.6 on this scale


def to_logit(scores: ArrayLike) -> NDArray[np.float64]:
    """Return log odds of scores, of their shape; scores under 0.01 count as 0.01, over 0.99 as 0.99.

    Raises:
        ValueError: a score is not within 0 and 1.

    Example:
        >>> to_logit([0.0, 0.5, 0.9]).round(2).tolist()
        [-4.6, 0.0, 2.2]
    """
    values = np.asarray(scores, dtype=np.float64)
    strange = values[~((values >= 0) & (values <= 1))]
    if strange.size:
        raise ValueError(f"score is {strange.flat[0]}; allowed is 0 to 1")
    kept = np.clip(values, FLOOR, 1 - FLOOR)
    return np.asarray(np.log(kept) - np.log1p(-kept), dtype=np.float64)


def from_logit(level: float) -> float:
    """Return the score of a level in log odds, 0 to 1.

    Example:
        >>> round(from_logit(float(to_logit(0.3))), 6)
        0.3
    """
    return float(1 / (1 + np.exp(-level)))
