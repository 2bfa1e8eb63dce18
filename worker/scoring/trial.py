"""Load a bundle and run its graph on a few signals; the program of the confined process of `worker.trial`.

python -m worker.scoring.trial FOLDER MEMORY_MIB TIME_S
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.confine import confine
from worker.scoring.bundle import Bundle, BundleError, load_bundle
from worker.scoring.scorer import Scorer, ScoringError

_MAX_OPEN_FILES = 64
_SEED = 0


def try_bundle(bundle: Bundle) -> None:
    """Build the session of a bundle and score silence, one sample, full scale, a tone and noise with it, each twice.

    Raises:
        BundleError: the graph cannot be built, is not what the manifest promises, or does not give the same scores
            for the same signal.
        ScoringError: its outputs are no scores.
        MemoryError: the graph found none to run in.
    """
    scorer = Scorer(bundle)
    for name, signal in _make_signals(bundle.manifest.n_window_samples, bundle.manifest.sampling_rate_hz):
        try:
            first, second = scorer.score(signal), scorer.score(signal)
        except ScoringError as error:
            raise ScoringError(f"of {name}: {error}") from error
        if first != second:
            raise BundleError(f"of {name} the graph gives {first} and then {second}, allowed is always the same")


def _make_signals(n_samples: int, sampling_rate_hz: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    seconds = np.arange(n_samples) / sampling_rate_hz
    rng = np.random.default_rng(_SEED)
    square = np.where(np.sin(2.0 * np.pi * 200.0 * seconds) < 0.0, -1.0, 1.0)
    yield "silence", np.zeros(n_samples, dtype=np.float32)
    yield "one sample", np.ones(1, dtype=np.float32)
    yield "a square wave at full scale", square.astype(np.float32)
    yield "a faint tone", (1e-4 * np.sin(2.0 * np.pi * 440.0 * seconds)).astype(np.float32)
    yield "noise", rng.uniform(-1.0, 1.0, n_samples).astype(np.float32)
    yield "half a window of noise", rng.uniform(-0.1, 0.1, n_samples // 2).astype(np.float32)


def main(arguments: list[str]) -> None:
    """Confine this process, try the bundle, and print one line of JSON: `sha256`, or `error`."""
    folder, memory_mib, time_s = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    _limit(memory_mib, time_s)
    try:
        bundle = load_bundle(folder)
        try_bundle(bundle)
    except (BundleError, ScoringError) as error:
        outcome = {"error": str(error)}
    except MemoryError:
        outcome = {"error": "the graph found no memory to run in"}
    except Exception as error:  # noqa: BLE001 - onnxruntime's dozen classes; it is told, and the bundle refused
        outcome = {"error": f"the graph cannot be run: {error}"}
    else:
        outcome = {"sha256": bundle.sha256}
    sys.stdout.write(json.dumps(outcome))
    sys.stdout.flush()
    os._exit(0)  # the graph's own threads may not end


def _limit(memory_mib: int, time_s: int) -> None:
    confine(memory_mib)
    resource.setrlimit(resource.RLIMIT_CPU, (time_s, time_s + 1))  # SIGXCPU first, which says why, then SIGKILL
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))


def _end_with_parent() -> None:
    os.read(0, 1)  # nobody writes: it returns when the parent is gone
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
