"""Carries what pool processes have done to their worker's first process, which alone serves metrics.

A line a finished attempt, through a pipe that is made before the fork. So no process keeps counters that die with it, and
no folder fills with the files of processes that are gone. The pool processes decode hostile bytes, so each line is checked
before it counts. A line that finds the pipe full is left out; no attempt ever waits for it.
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from telemetry import metrics
from telemetry.samples import NOTHING, AttemptSample

MAX_LINE_BYTES: Final = 2_048
"""Less than PIPE_BUF, so that lines of two processes never mix (pipe(7))."""
_MAX_SECONDS: Final = 10_000_000.0
_MAX_MODELS: Final = 20
_MAX_MODEL: Final = 100  # characters of a name and version


class BadSample(Exception):
    """A line that is no sample."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What labels may hold; a sample with any other word is refused, so that labels have a bound."""

    lanes: Collection[str]
    outcomes: Collection[str]
    reasons: Collection[str]
    statuses: Collection[str]


def encode(sample: AttemptSample) -> bytes:
    """Write a sample as one line."""
    return json.dumps(asdict(sample), separators=(",", ":")).encode() + b"\n"


def decode(line: bytes, words: Words) -> AttemptSample:
    """Read a line of a pool process.

    Raises:
        BadSample: It is none, or holds a word that is not in `words`.
    """
    try:
        values: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadSample("no JSON") from error
    names = {item.name for item in fields(AttemptSample)}
    if not isinstance(values, dict) or set(values) != names:
        raise BadSample("other fields")
    stages = values["stages"]
    known = {
        "lane": words.lanes,
        "outcome": words.outcomes,
        "reason": {*words.reasons, NOTHING},
        "status": {*words.statuses, NOTHING},
    }
    are_words = all(isinstance(values[name], str) and values[name] in allowed for name, allowed in known.items())
    model = values["model"]
    is_model = isinstance(model, str) and len(model) <= _MAX_MODEL and model.isprintable()
    are_stages = isinstance(stages, dict) and set(stages) <= set(metrics.STAGES)
    if not (are_words and is_model and are_stages):
        raise BadSample("other words")
    if not all(map(_is_duration, (values["wall_s"], values["audio_s"], *stages.values()))):
        raise BadSample("no durations")
    return AttemptSample(**values)


def count(sample: AttemptSample) -> None:
    """Count one attempt in this process's registry of the worker."""
    metrics.ATTEMPTS.labels(sample.lane, sample.outcome, sample.reason).inc()
    metrics.ATTEMPT_SECONDS.labels(sample.lane).observe(sample.wall_s)
    for stage, seconds in sample.stages.items():
        metrics.STAGE_SECONDS.labels(stage).observe(seconds)
    if sample.status != NOTHING:
        metrics.AUDIO_SECONDS.labels(sample.lane, sample.status).inc(sample.audio_s)


def _is_duration(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0.0 <= value <= _MAX_SECONDS


class SamplePipe:
    """The pipe of one worker: made before the fork, read in the first process, written to by all others."""

    def __init__(self, words: Words) -> None:
        """Make the pipe.

        Args:
            words: that labels may hold.
        """
        self._words = words
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._models: set[str] = set()

    def send(self, sample: AttemptSample) -> bool:
        """Hand a sample to the first process; False where the pipe takes none now."""
        line = encode(sample)
        if len(line) > MAX_LINE_BYTES:
            return False
        try:
            return os.write(self._write_end, line) == len(line)
        except OSError:  # full, or its reader is gone
            return False

    def start(self) -> None:
        """Read in a thread of this process until it ends."""
        threading.Thread(target=self._run, name="metrics-samples", daemon=True).start()

    def take(self, line: bytes) -> None:
        """Count one line, or count that it was none."""
        try:
            sample = decode(line, self._words)
        except BadSample:
            metrics.SAMPLES_REFUSED.inc()
            return
        count(sample)
        if sample.model in self._models or len(self._models) < _MAX_MODELS:
            self._models.add(sample.model)
            metrics.LOADED_MODEL.labels(sample.model).set(1)

    def _run(self) -> None:
        rest = b""
        while read := os.read(self._read_end, 65_536):
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                self.take(line)
            if len(rest) > MAX_LINE_BYTES:  # no line of ours
                metrics.SAMPLES_REFUSED.inc()
                rest = b""
