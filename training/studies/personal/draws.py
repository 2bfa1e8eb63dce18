"""Which earlier notes a person's baseline gets: drawn in a mix of emotions, the judged note not among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.corpora.utterance import LABELS

NEUTRAL = "neutral"
EVEN, ONE_EMOTION = "even", "one emotion"
NEUTRAL_SHARES = {"70 % neutral": 0.70, "91 % neutral": 0.91}
MIXES = (EVEN, *NEUTRAL_SHARES, ONE_EMOTION)


def share_labels(mix: str, *, judged: int, labels: tuple[str, ...] = LABELS) -> NDArray[np.float64]:
    """Return the share of each label in a mix, float64 (n_labels,), sums to 1.

    Args:
        mix: one of `MIXES`; with `one emotion` all notes have the judged note's, the worst case for a baseline.
        judged: label of the judged note, index into `labels`.
        labels: in the order of the scores.

    Raises:
        ValueError: the mix is unknown, or has a share of neutral and there is no such label.
    """
    if mix not in MIXES:
        raise ValueError(f"mix {mix!r} is unknown, allowed are {list(MIXES)}")
    if mix == ONE_EMOTION:
        return np.asarray(np.eye(len(labels))[judged], dtype=np.float64)
    if mix == EVEN:
        return np.full(len(labels), 1 / len(labels))
    if NEUTRAL not in labels:
        raise ValueError(f"labels are {list(labels)}; mix {mix!r} needs {NEUTRAL}")
    share = NEUTRAL_SHARES[mix]
    shares = np.full(len(labels), (1 - share) / (len(labels) - 1))
    shares[labels.index(NEUTRAL)] = share
    return shares


def draw_notes(
    truth: NDArray[np.int64], shares: NDArray[np.float64], *, n_notes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw earlier notes in a mix; the first k of them are a draw of k.

    Each note's label is drawn by the shares, those of labels without a note going to the others. Within a label no note comes
    twice before all have come once.

    Args:
        truth: label of each note that may be drawn, int (n,).
        shares: of the labels, float64 (n_labels,), not all 0.
        n_notes: how many to draw.
        rng: where chance comes from.

    Returns:
        indices into `truth`, int64 (n_notes,), or none at all where no label with a share has a note.
    """
    present = [label for label in np.unique(truth).tolist() if shares[label] > 0]
    if not present:
        return np.zeros(0, dtype=np.int64)
    chances = shares[present] / shares[present].sum()
    slots = rng.choice(present, size=n_notes, p=chances)
    drawn = np.zeros(n_notes, dtype=np.int64)
    for label in present:
        is_here = slots == label
        drawn[is_here] = np.resize(rng.permutation(np.flatnonzero(truth == label)), int(is_here.sum()))
    return drawn
