"""A process that scores what it is sent and says how that ended; it may crash or hang, and somebody else watches.

On its standard input come recordings, each after its length in four bytes; on its standard output goes one line of
JSON for each. It scores as a worker's child does: the same pipeline, the same limits (memory too), with a tiny model. What Python opens,
connects to or starts while it scores is told too.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, BinaryIO

from config.settings import Settings
from tests.unit.bundles import write_bundle
from worker.audio.decode import preload
from worker.confine import confine
from worker.outcomes import failure_of
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

PIECE_BYTES = 1 << 20
AUDITED = ("open", "socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.fork", "os.system", "urllib.")


def main() -> None:
    """Answer until the input ends."""
    touched: list[str] = []
    sys.addaudithook(lambda event, values: touched.append(f"{event} {values}") if event.startswith(AUDITED) else None)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries may print
    preload()
    with tempfile.TemporaryDirectory() as folder:
        scorer = Scorer(load_bundle(write_bundle(Path(folder))))
    confine(Settings.model_fields["child_memory_mb"].default)
    print(json.dumps({"ended": "ready"}), file=answers)
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - as a worker, which does not hold the recording in memory
    while len(head := sys.stdin.buffer.read(4)) == 4:
        take_recording(spool, int.from_bytes(head, "big"))
        touched.clear()
        answer = judge(spool, scorer)
        print(json.dumps({**answer, "touched": [one for one in touched if "/proc/self/" not in one]}), file=answers)


def take_recording(spool: BinaryIO, n_bytes: int) -> None:
    """Put the next recording into the file, in place of the last one."""
    spool.seek(0)
    spool.truncate()
    while n_bytes > 0 and (piece := sys.stdin.buffer.read(min(n_bytes, PIECE_BYTES))):
        spool.write(piece)
        n_bytes -= len(piece)


def judge(recording: BinaryIO, scorer: Scorer) -> dict[str, Any]:
    """Score one recording as a worker does.

    Returns:
        How it ended (a status, or a reason of the ledger), the detail, seconds, seconds of the processor, and peak memory
        in MiB, of this recording alone where the system lets the peak be reset.
    """
    _reset_peak()
    start_s, before_s = time.monotonic(), time.process_time()
    try:
        ended, detail = score_recording(recording, scorer).status.value, ""
    except Exception as error:  # noqa: BLE001 - as worker.tasks does
        failure = failure_of(error)
        ended, detail = failure.reason.value, failure.detail
    took = {"seconds": time.monotonic() - start_s, "processor_s": time.process_time() - before_s}
    return {"ended": ended, "detail": detail, **took, "peak_mib": read_peak_mib()}


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM
    except OSError:
        return


def read_peak_mib() -> float:
    """Read the most memory that was resident since the last reset, 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
