"""What a process tells of an attempt that has ended, and to whom; counts nothing, so that only who serves metrics loads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

NOTHING: Final = "none"


@dataclass(frozen=True, kw_only=True)
class AttemptSample:
    """One attempt that ended: `outcome` and `reason` as the ledger has them, times in seconds.

    `audio_s` is the length of a recording that got a result of `status`; `stages` holds what was measured.
    """

    lane: str
    outcome: str
    model: str
    wall_s: float
    reason: str = NOTHING
    status: str = NOTHING
    audio_s: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)


_senders: list[Callable[[AttemptSample], object]] = []


def send_by(send: Callable[[AttemptSample], object] | None) -> None:
    """Say how this process and those that it forks hand samples on; None: not at all."""
    _senders[:] = [] if send is None else [send]


def hand_on(sample: AttemptSample) -> None:
    """Hand a sample on as this process was told; where it was told nothing, nobody asks for metrics."""
    for send in _senders:
        send(sample)
