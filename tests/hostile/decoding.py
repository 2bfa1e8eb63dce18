"""A judge that only decodes what it is sent, and says how many seconds of signal that gave, and how loud they are.

It speaks as `tests.hostile.judge` does: recordings on its standard input, a line of JSON for each on its standard output.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import time
from typing import Any

from tests.hostile.levels import Levels
from worker.audio.decode import SAMPLING_RATE_HZ, iter_blocks, preload
from worker.outcomes import failure_of


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries may print
    preload()
    print(json.dumps({"ended": "ready"}), file=answers)
    while len(head := sys.stdin.buffer.read(4)) == 4:
        print(json.dumps(decode(sys.stdin.buffer.read(int.from_bytes(head, "big")))), file=answers)


def decode(recording: bytes) -> dict[str, Any]:
    """Decode one recording as a worker does.

    Returns:
        The fields of a `Verdict`: `decoded` or a reason of the ledger, with the seconds of signal that came before it.
    """
    start_s = time.monotonic()
    levels = Levels()
    try:
        for block in iter_blocks(io.BytesIO(recording)):
            levels.feed(block)
        ended, detail = "decoded", ""
    except Exception as error:  # noqa: BLE001 - as worker.tasks does
        failure = failure_of(error)
        ended, detail = failure.reason.value, failure.detail
    return {
        "ended": ended,
        "detail": detail,
        "seconds": time.monotonic() - start_s,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "decoded_s": levels.n_samples / SAMPLING_RATE_HZ,
        "levels_db": levels.read(),
    }


if __name__ == "__main__":
    main()
