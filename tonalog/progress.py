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
        """Show how far the run has come."""
        done = minutes(now.ended_ms)
        rest = f" of about {minutes(now.expected_ms)}" if now.expected_ms and not now.is_complete else ""
        waiting = f", {now.n_waiting} to be tried again ({now.waiting_reason})" if now.n_waiting else ""
        self._bar.update(
            self._task,
            total=now.n_recordings,
            completed=now.n_ended,
            audio=f"{done}{rest} min of audio",
            recordings=f"{now.n_ended}/{now.n_recordings} recordings{waiting}",
        )
