"""Hand recordings to a judge in a process of its own, and see what becomes of that process."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
JUDGE = (sys.executable, "-m", "tests.hostile.judge")
START_LIMIT_S = 600.0
"""A machine that compiles librosa's cache just now takes its time."""


@dataclass(frozen=True)
class Verdict:
    """How the scoring of one recording ended.

    Attributes:
        ended: `scored`, `no_speech`, `decoded`, a reason of the ledger, `crash` or `hang`.
        detail: the sentence that goes with a reason; the signal or exit code, with the end of what was printed.
        seconds: that it took.
        peak_mib: memory of the process at most.
        touched: what Python opened, connected to or started meanwhile.
        decoded_s: seconds of signal, where the judge only decodes (`tests.hostile.decoding`).
        levels_db: of each tenth of these seconds.
        processor_s: what the judge's process took of the processor, which a busy machine does not lengthen.
    """

    ended: str
    detail: str
    seconds: float
    peak_mib: float
    touched: tuple[str, ...] = ()
    decoded_s: float = 0.0
    levels_db: tuple[int, ...] = ()
    processor_s: float = 0.0


class Arena:
    """Keeps a judge running, and starts the next one when it crashed or hung."""

    def __init__(self, *, limit_s: float = 30.0, command: Sequence[str] = JUDGE) -> None:
        """Start nothing yet.

        Args:
            limit_s: a judge that does not answer for this long hangs, and is killed.
            command: starts a judge.
        """
        self._limit_s = limit_s
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._printed.close()

    def judge(self, recording: bytes) -> Verdict:
        """Have one recording scored."""
        process = self._process or self._start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.write(len(recording).to_bytes(4, "big") + recording)
            process.stdin.flush()
        answer = self._wait(process, self._limit_s)
        if answer is not None:
            return Verdict(**json.loads(answer))
        code = process.poll()
        self._end()
        if code is None:
            return Verdict("hang", f"no answer in {self._limit_s:.0f} s", self._limit_s, 0.0)
        return Verdict("crash", self._describe(code), 0.0, 0.0)

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
        )
        if self._wait(self._process, START_LIMIT_S) is None:
            raise RuntimeError(f"the judge did not start: {self._describe(self._process.poll())}")
        return self._process

    def _wait(self, process: subprocess.Popen[bytes], limit_s: float) -> bytes | None:
        """Wait for a line; None if the process ended or took too long."""
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], limit_s)[0]:
            return None
        line = process.stdout.readline()
        if not line:
            process.wait()
        return line or None

    def _describe(self, code: int | None) -> str:
        self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, self._printed.tell() - 2000))
        tail = self._printed.read().decode(errors="replace")
        if code is None:
            return f"still running; {tail}"
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{name}; {tail}"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
