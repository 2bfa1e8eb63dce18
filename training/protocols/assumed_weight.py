"""The weight of ordinary speech that nobody rated, beside that of labelled utterances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.corpora.utterance import Utterance

# Of the labelled utterances' weight. A fiftieth was enough for read speech and single words of sets never trained on; a
# twentieth and more teach that whatever is unlike the labelled corpora is neutral.
SHARE = 0.02


def weigh_utterances(utterances: Sequence[Utterance], *, share: float = SHARE) -> NDArray[np.float64]:
    """Return a weight of each utterance: 1 where somebody rated it, and a small equal part of `share` where nobody did.

    All that nobody rated weighs `share` times as much as all that somebody did. Each corpus of it has the same part, and
    each utterance of a corpus has, so that a large set counts no more than a small one.

    Args:
        utterances: of one training side.
        share: over 0, at most 1: with more, what nobody rated would teach more than what somebody did.

    Returns:
        float64 (n_utterances,), over 0.

    Raises:
        ValueError: the share is out of range, or nobody rated any of them.
    """
    if not 0.0 < share <= 1.0:
        message = f"a share of {share}; allowed is over 0 and at most 1"
        raise ValueError(message)
    n_rated = sum(not item.is_assumed for item in utterances)
    if not n_rated:
        message = f"0 of {len(utterances)} utterances were rated; the weight of the others needs at least 1"
        raise ValueError(message)
    n_by_set = Counter(item.corpus for item in utterances if item.is_assumed)
    whole = share * n_rated / max(1, len(n_by_set))
    return np.array([whole / n_by_set[item.corpus] if item.is_assumed else 1.0 for item in utterances])
