"""Windows as one step of tuning takes them: which frames are left out, which target they have, and how much they weigh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.corpora import LABELS
from training.data.cached import Frames
from training.data.views import name_corpus
from training.fitting.recipe import Further
from training.protocols.folds import assign_folds

Item = tuple[Frames, int]  # A copy and the row in it.


@dataclass(frozen=True)
class Drawn:
    """A window as one step takes it.

    Attributes:
        item: the copy and the row in it.
        start, stop: the frames that are left out, `start` to before `stop`.
        n_left: frames that remain.
        weight: how much it counts in the loss.
    """

    item: Item
    start: int
    stop: int
    n_left: int
    weight: float = 1.0

    def take(self) -> NDArray[np.float16]:
        """Return the frames that remain, float16 (n_left, n_features)."""
        frames, row = self.item
        window = frames.take(row)
        return window if self.start == self.stop else np.delete(window, slice(self.start, self.stop), axis=0)


def draw_hidden(item: Item, share: float, rng: np.random.Generator) -> Drawn:
    """Draw which frames of a window are left out (time masking, Park et al. 2019, SpecAugment).

    Left out and masked are the same to the layers above, which have a frame's place in the frame itself and weigh none
    that is not there; what is left out costs no time.

    Args:
        item: the copy and the row in it.
        share: largest share that is left out, 0 to under 1; how much, and where, is drawn evenly.
        rng: the only source of chance; it is not asked where the share is 0.
    """
    frames, row = item
    n_frames = len(frames.take(row))
    if share == 0.0:
        return Drawn(item, 0, 0, n_frames)
    n_hidden = int(rng.random() * share * n_frames)
    start = int(rng.integers(n_frames - n_hidden + 1))
    return Drawn(item, start, start + n_hidden, n_frames - n_hidden)


def find_label(item: Item) -> int:
    """Return the index of a window's label."""
    return LABELS.index(str(item[0].windows.kinds[item[1]]))


def soften(item: Item, votes: Mapping[str, NDArray[np.float64]], *, share: float) -> NDArray[np.float32]:
    """Return a window's target, float32 (n_labels,), summing to 1.

    Args:
        item: the copy and the row in it.
        votes: shares by clip; a window joined of several clips has none and stays as acted.
        share: of the votes in the target, 0 to 1.
    """
    acted = np.eye(len(LABELS))[find_label(item)]
    voted = votes.get(str(item[0].windows.names[item[1]]))
    target = acted if voted is None else (1.0 - share) * acted + share * voted
    return np.asarray(target, dtype=np.float32)


def weigh_items(items: Sequence[Item], further: Sequence[Further]) -> NDArray[np.float32]:
    """Return how much each window counts in the loss, float32 (n_items,): 1 for the first corpus's.

    Args:
        items: training windows; speakers of further corpora have the corpus's name before them (`emodb/03`).
        further: corpora beside the first one.
    """
    corpora = list_corpora(items)
    counts, weights = Counter(corpora), {item.corpus: item.weight for item in further}
    return np.array([weights[c] * counts[""] / counts[c] if c in weights else 1.0 for c in corpora], dtype=np.float32)


def draw_items(corpora: Sequence[str], n_drawn: int, further: Sequence[Further], rng: np.random.Generator) -> list[int]:
    """Return the indices of a round's windows in random order: of each further corpus its share, of the first one the rest.

    Args:
        corpora: of each window, as `list_corpora` tells.
        n_drawn: of the round; there are fewer where the first corpus has fewer.
        further: corpora beside the first one; those without windows are passed over, and small ones repeat theirs.
        rng: the only source of chance.
    """
    known = np.array(corpora)
    chosen: list[int] = []
    for item in further:
        rows = np.flatnonzero(known == item.corpus)
        n_own = round(item.drawn * n_drawn)
        chosen += [int(rows[i]) for i in rng.integers(len(rows), size=n_own)] if len(rows) else []
    first = rng.permutation(np.flatnonzero(known == ""))[: n_drawn - len(chosen)]
    return [int(row) for row in rng.permutation([*first.tolist(), *chosen])]


def list_corpora(items: Sequence[Item]) -> list[str]:
    """Return the layout of each window's corpus: empty for the first one."""
    return [name_corpus(str(frames.windows.speakers[row])) for frames, row in items]


def assign_first_folds(speakers: Iterable[str]) -> dict[str, int]:
    """Return the fold of each speaker of the first corpus; those of further corpora are in none, and always train."""
    return assign_folds(speaker for speaker in speakers if not name_corpus(speaker))
