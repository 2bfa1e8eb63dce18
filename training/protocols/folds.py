"""Speaker-independent folds."""

from __future__ import annotations

import random
from collections.abc import Iterable

N_FOLDS = 5
SEED = 0
MIN_FOLDS = 2


def assign_folds(speakers: Iterable[str], *, n_folds: int = N_FOLDS, seed: int = SEED) -> dict[str, int]:
    """Give every speaker one fold: sorted, shuffled with the seed, then i % n_folds.

    Args:
        speakers: speaker ids; repeats are allowed.
        n_folds: 2 or more, at most the number of speakers.
        seed: of the shuffle.

    Returns:
        Fold number of each speaker, in [0, n_folds).

    Raises:
        ValueError: there are fewer speakers than folds.
    """
    ordered = sorted(set(speakers))
    if not MIN_FOLDS <= n_folds <= len(ordered):
        message = f"{n_folds} folds of {len(ordered)} speakers; 2 to {len(ordered)} folds are allowed"
        raise ValueError(message)
    random.Random(seed).shuffle(ordered)  # noqa: S311 - folds are no secret; they must come out the same
    return {speaker: index % n_folds for index, speaker in enumerate(ordered)}
