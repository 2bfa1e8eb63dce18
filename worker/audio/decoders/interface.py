"""What every decoder offers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from worker.audio.container.parts import Part
from worker.audio.container.source import Source

PIECE_SAMPLES = 65_536
"""Frames of a block at most."""


@dataclass(frozen=True)
class Block:
    """The next samples of a recording.

    Attributes:
        samples: float32 (n_frames, n_channels), full scale 1.
        rate_hz: their sampling rate.
    """

    samples: NDArray[np.float32]
    rate_hz: int

    @property
    def kind(self) -> tuple[int, int]:
        """Sampling rate and number of channels."""
        return self.rate_hz, self.samples.shape[1]


def open_source(file: BinaryIO, part: Part) -> Source:
    """Show a decoder its part of a file, and no size that is wrong."""
    return Source(file, spans=part.spans, overlay=part.overlay)


class Decoder(Protocol):
    """One part of a file, open in a decoder."""

    def read_blocks(self) -> Iterator[Block]:
        """Read to the end.

        Yields:
            Blocks in order; rate and channels may change from one to the next.

        Raises:
            AudioError: the part cannot be decoded.
            MemoryError: the decoder found none.
            Exception: what reading the file raises passes through.
        """

    def close(self) -> None:
        """Let go of the decoder; the file stays open."""
