"""Start a worker's imports in fresh processes and say what that costs; scores one window.

python benchmarks/startup.py [--rounds N] [--model DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from protocol import print_protocol

from config.settings import Settings
from tonalog.bundles import default_bundle

# What a pool process does before its first score; the last figures are those of a forked child that resamples: what it
# holds for itself alone.
CHILD = """
import json, os, sys, time
start = time.perf_counter()
folder = sys.argv[1]
import numpy as np
import worker.app
from worker.audio import decode
decode.preload()
imported = time.perf_counter()
from pathlib import Path
from worker.scoring.bundle import load_bundle
from worker.scoring.scorer import Scorer

def memory(kind):
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.split(":")[0] in kind) / 1024

RSS, OWN = {"Rss"}, {"Private_Clean", "Private_Dirty"}
parent_mib = memory(RSS)
read, write = os.pipe()
if os.fork() == 0:
    began = time.perf_counter()
    scorer = Scorer(load_bundle(Path(folder)))
    built = time.perf_counter()
    scorer.score(np.sin(np.arange(128_000, dtype=np.float32) / 20))
    scored = time.perf_counter()
    plain_mib = memory(OWN)
    decode.resample(np.zeros(96_000, dtype=np.float32), 48_000)
    resampled = time.perf_counter()
    os.write(write, json.dumps({
        "session_s": built - began, "window_s": scored - built, "resample_s": resampled - scored,
        "child_mib": plain_mib, "child_resampled_mib": memory(OWN),
    }).encode())
    os._exit(0)
os.wait()
of_child = json.loads(os.read(read, 4096))
heavy = "av celery librosa llvmlite numba numpy onnxruntime scipy sklearn soundfile sqlalchemy torch webrtcvad".split()
print(json.dumps({
    "imports_s": imported - start, "parent_mib": parent_mib,
    "first_score_s": imported - start + of_child["session_s"] + of_child["window_s"],
    "heavy": [name for name in heavy if name in sys.modules], "n_modules": len(sys.modules), **of_child,
}))
"""
ROWS = (
    ("imports_s", "worker's own imports, s"),
    ("session_s", "ONNX session in the child, s"),
    ("window_s", "the window itself, s"),
    ("first_score_s", "start to first scored window, s"),
    ("resample_s", "first resampling in the child, s"),
    ("parent_mib", "memory of the parent, MiB"),
    ("child_mib", "the child's own on top, MiB"),
    ("child_resampled_mib", "the same after resampling, MiB"),
    ("n_modules", "modules imported by the parent"),
)


def main() -> int:
    """Run all rounds and print the medians."""
    options = read_options()
    folder = options.model or default_bundle(Settings.read())
    print_protocol(
        f"{options.rounds} fresh processes, bundle {folder.name}; warm file cache, medians",
        order="one run beforehand is thrown away",
    )
    run_child(folder)
    rounds = [run_child(folder) for _ in range(options.rounds)]
    for key, text in ROWS:
        print(f"{text:<36}{statistics.median(one[key] for one in rounds):>12.2f}")
    print(f"imports {' '.join(rounds[0]['heavy'])}")
    return 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, help="bundle folder; default: the shipped one")
    return parser.parse_args()


def run_child(folder: Path) -> dict[str, Any]:
    """Start one process and return what it measured."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    sys.exit(main())
