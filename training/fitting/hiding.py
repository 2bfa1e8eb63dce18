"""Windows with a run of frames that a step does not hear; it knows neither labels nor nets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.fitting.targets import Item


@dataclass(frozen=True)
class Drawn:
    """A window as one step hears it.

    Attributes:
        item: the copy and the row in it.
        start, stop: the frames that are left out, `start` to before `stop`.
        n_heard: frames that remain.
    """

    item: Item
    start: int
    stop: int
    n_heard: int

    def take(self) -> NDArray[np.float16]:
        """Return the frames that remain, float16 (n_heard, 512)."""
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
