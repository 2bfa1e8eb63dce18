"""What is told of one attempt when it has ended: one line in the log and one sample for metrics; ids and times, no scores."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from db.reasons import JobState, Outcome, Reason
from db.rows import Claim, NewResult
from telemetry import samples, traces
from telemetry.samples import AttemptSample
from worker.scoring.stopwatch import Stopwatch

_log = logging.getLogger(__name__)
_STATES = {Outcome.DONE: JobState.DONE, Outcome.DEAD: JobState.DEAD, Outcome.RETRY: JobState.PENDING}


@dataclass
class Attempt:
    """One attempt under way in this process.

    Attributes:
        claim: the right to it.
        watch: where its time goes.
        started: when it began, by `time.monotonic`.
        stopped: when its result was there, where that waits for others.
    """

    claim: Claim
    watch: Stopwatch = field(default_factory=Stopwatch)
    started: float = field(default_factory=lambda: time.monotonic())  # noqa: PLW0108 - a test has a clock of its own
    stopped: float | None = None

    @property
    def wall_ms(self) -> int:
        """How long it has taken so far, or until `stop_clock`."""
        until = time.monotonic() if self.stopped is None else self.stopped
        return round((until - self.started) * 1000)

    def stop_clock(self) -> None:
        """Count no more of the time that goes by: its result waits for those of others."""
        self.stopped = time.monotonic()

    @property
    def model(self) -> str:
        """Name and version of its model."""
        return f"{self.claim.model.name}-{self.claim.model.version}"

    @property
    def ids(self) -> dict[str, int | str]:
        """What names it, beside its job, wherever it is told of."""
        claim = self.claim
        return {
            "recording_id": claim.recording.id,
            "attempt": claim.attempt_n,
            "lane": claim.lane.value,
            "model": self.model,
        }

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Count the block's time as a stage's, and tell of it as a span."""
        with traces.span(stage), self.watch.measure(stage):
            yield

    def tell_result(self, result: NewResult) -> None:
        """Tell that its result was saved."""
        self._tell(
            Outcome.DONE,
            logging.INFO,
            "recording done",
            status=result.status.value,
            audio_ms=result.duration_ms,
        )

    def tell_failure(self, outcome: Outcome, reason: Reason, *, is_surprise: bool = False) -> None:
        """Tell that it failed.

        Args:
            outcome: DEAD where its job has ended with it, RETRY where it will be tried again.
            reason: why.
            is_surprise: whether the log gets the traceback of the error that is being handled.
        """
        self._tell(outcome, logging.WARNING, "attempt failed", reason=reason, is_surprise=is_surprise)

    def tell_lost(self) -> None:
        """Tell that its job passed to somebody else, so that nothing of it was written."""
        self._tell(Outcome.LOST, logging.WARNING, "lease lost")

    def _tell(
        self,
        outcome: Outcome,
        level: int,
        event: str,
        *,
        reason: Reason | None = None,
        status: str | None = None,
        audio_ms: int | None = None,
        is_surprise: bool = False,
    ) -> None:
        claim, wall_ms = self.claim, self.wall_ms
        stages = {stage: seconds for stage, seconds in self.watch.seconds.items() if seconds > 0.0}
        said = {"state": _STATES.get(outcome), "reason": reason, "status": status, "audio_ms": audio_ms}
        _log.log(
            level,
            event,
            extra={
                "job_id": claim.job_id,
                **self.ids,
                "outcome": outcome.value,
                "wall_ms": wall_ms,
                **{name: str(value) for name, value in said.items() if value is not None},
                **{f"{stage}_ms": round(seconds * 1000) for stage, seconds in stages.items()},
            },
            exc_info=is_surprise,
        )
        sample = AttemptSample(
            lane=claim.lane.value,
            outcome=outcome.value,
            model=self.model,
            wall_s=wall_ms / 1000,
            reason="none" if reason is None else reason.value,
            status="none" if status is None else status,
            audio_s=(audio_ms or 0) / 1000,
            stages=stages,
        )
        samples.hand_on(sample)
        traces.note(
            outcome=sample.outcome,
            reason=sample.reason,
            status=sample.status,
            audio_s=sample.audio_s,
            **{f"{stage}_s": seconds for stage, seconds in stages.items()},
        )
