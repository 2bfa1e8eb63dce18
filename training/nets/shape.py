"""What an encoder's weights alone do not say of it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

N_POSITIONS = 1500  # 30 s.
FRAME_S = 0.02  # Between two positions.
Halving = Literal["never", "first_output", "first_queries"]


@dataclass(frozen=True)
class EncoderShape:
    """What the weights alone do not say.

    Attributes:
        halving: where frames become means of pairs: never, after the first layer, or within it: its keys and values at the
            full rate, its queries and what follows at half. A window then costs .68 and .55 of one that is never halved.
        n_positions: frames of 20 ms that a window may have, 1 to 1500; the weights of more are left out of a graph.
    """

    halving: Halving = "never"
    n_positions: int = N_POSITIONS

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        if self.halving not in (allowed := get_args(Halving)):
            raise ValueError(f"halving is {self.halving!r}, allowed are {allowed}")
        if not 1 <= self.n_positions <= N_POSITIONS:
            raise ValueError(f"n_positions is {self.n_positions}, allowed are 1 to {N_POSITIONS}")


FULL = EncoderShape()
