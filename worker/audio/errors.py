"""The one error of this room and its reasons; never carries a file name."""

from __future__ import annotations

from enum import StrEnum


class AudioReason(StrEnum):
    """Why a recording cannot be scored; every one is final, another try would give the same."""

    ZERO_BYTES = "ZERO_BYTES"
    TOO_LARGE = "TOO_LARGE"
    TOO_LONG = "TOO_LONG"
    NOT_AUDIO = "NOT_AUDIO"
    UNSUPPORTED_CODEC = "UNSUPPORTED_CODEC"
    DECODE_ERROR = "DECODE_ERROR"
    TRUNCATED = "TRUNCATED"
    NON_FINITE = "NON_FINITE"
    BAD_FORMAT = "BAD_FORMAT"
    TIME_LIMIT = "TIME_LIMIT"


class AudioError(Exception):
    """A recording that cannot be scored.

    Attributes:
        reason: what is wrong, for machines.
        detail: what is wrong, for people: the value and what was allowed.
    """

    def __init__(self, reason: AudioReason, detail: str) -> None:
        """Keep both and make a message of them."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[AudioError], tuple[AudioReason, str]]:
        """Let it cross a process boundary whole."""
        return type(self), (self.reason, self.detail)
