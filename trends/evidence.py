"""How much there is to judge a person by: days, notes and speech."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from trends.day import Day


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much was observed, or is needed at least.

    Attributes:
        days: with a level.
        notes: scored ones in them.
        speech_s: in those.
    """

    days: int = 0
    notes: int = 0
    speech_s: float = 0.0

    def find_lack(self, needed: Amount) -> str | None:
        """Return which of the three is less than needed, the first of them; None where there is enough.

        Example:
            >>> Amount(days=60, notes=70).find_lack(Amount(days=60, notes=80, speech_s=600.0))
            'notes'
        """
        for name in ("days", "notes", "speech_s"):
            if getattr(self, name) < getattr(needed, name):
                return name
        return None


def count_days(days: Iterable[Day]) -> Amount:
    """Return how much days hold; those without a level do not count."""
    known = [day for day in days if day.level is not None]
    return Amount(
        days=len(known),
        notes=sum(day.n_scored for day in known),
        speech_s=math.fsum(day.speech_s for day in known),
    )
