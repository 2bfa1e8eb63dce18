"""A progress bar in minutes of audio; guesses the total from what has ended so far."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from db import progress as ledger_progress
from tonalog.report import minutes
from tonalog.screen import new_progress

_BAR_WIDTH = 16  # leaves room for the words beside it in a terminal of 80 columns


class AudioProgress:
    """Shows recordings and minutes of audio done; a pipe gets nothing but the end."""

    def __init__(self) -> None:
        columns = ("spinner", "scoring", "bar", "{task.fields[audio]}", "{task.fields[recordings]}", "elapsed")
        self._bar = new_progress(*columns, bar_width=_BAR_WIDTH)
        self._task = self._bar.add_task("scoring", total=None, audio="", recordings="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, now: ledger_progress.Progress) -> None:
        """Show how far a run over one place has come."""
        waiting = f", {now.n_waiting} to be tried again ({now.waiting_reason})" if now.n_waiting else ""
        self.update(
            n_recordings=now.n_recordings,
            n_ended=now.n_ended,
            ended_ms=now.ended_ms,
            expected_ms=now.expected_ms,
            waiting=waiting,
        )

    def update(
        self, *, n_recordings: int, n_ended: int, ended_ms: int, expected_ms: float | None, waiting: str = ""
    ) -> None:
        """Show how many recordings of how many have ended, and how much audio that was."""
        rest = f" of about {minutes(expected_ms)}" if expected_ms and n_ended < n_recordings else ""
        self._bar.update(
            self._task,
            total=n_recordings,
            completed=n_ended,
            audio=f"{minutes(ended_ms)}{rest} min of audio",
            recordings=f"{n_ended}/{n_recordings} recordings{waiting}",
        )
