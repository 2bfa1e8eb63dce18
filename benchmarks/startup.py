"""Start `tonalog score`, a worker's imports and a whole worker in fresh processes, and say what that costs up to the first score.

python benchmarks/startup.py [--rounds N] [--model DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

try:
    from benchmarks.processes import list_tree, read_memory_mib, read_processor_s
    from benchmarks.protocol import print_protocol
except ModuleNotFoundError:  # started by its path
    from processes import list_tree, read_memory_mib, read_processor_s
    from protocol import print_protocol

from config.settings import Settings
from tonalog.bundles import default_bundle

# What a pool process does before its first score; the last figures are those of a forked child that resamples: what it
# holds for itself alone.
CHILD = """
import json, os, sys, time
start = time.perf_counter()
folder = sys.argv[1]
from tonalog.process import loading
with loading():
    import numpy as np
    import worker.app
    from config.settings import Settings
    from worker.audio import decode
    from worker.forking import prepare_parent
    from worker.memory import return_free_memory, return_large_pieces
    decode.preload()
    prepare_parent(Settings.read())
imported, imported_cpu_s = time.perf_counter(), time.process_time()
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
    return_large_pieces()
    scorer = Scorer(load_bundle(Path(folder)))
    return_free_memory()
    built = time.perf_counter()
    scorer.score(np.sin(np.arange(128_000, dtype=np.float32) / 20))
    scored = time.perf_counter()
    cpu_s = time.process_time()
    plain_mib = memory(OWN)
    decode.resample(np.zeros(96_000, dtype=np.float32), 48_000)
    resampled = time.perf_counter()
    os.write(write, json.dumps({
        "session_s": built - began, "window_s": scored - built, "resample_s": resampled - scored,
        "child_cpu_s": cpu_s, "child_mib": plain_mib, "child_resampled_mib": memory(OWN),
    }).encode())
    os._exit(0)
os.wait()
of_child = json.loads(os.read(read, 4096))
heavy = "av celery librosa llvmlite numba numpy onnxruntime scipy sklearn soundfile sqlalchemy torch webrtcvad".split()
print(json.dumps({
    "imports_s": imported - start, "parent_mib": parent_mib,
    "first_score_s": imported - start + of_child["session_s"] + of_child["window_s"],
    "first_score_cpu_s": imported_cpu_s + of_child["child_cpu_s"],
    "heavy": [name for name in heavy if name in sys.modules], "n_modules": len(sys.modules), **of_child,
}))
"""
NOTE = Path(__file__).resolve().parents[1] / "examples" / "notes" / "vera" / "2026-03-05T06-58-20Z.wav"
POLL_S = 0.01
WITHIN_S = 120.0
ROWS = (
    ("imports_s", "worker's own imports, s"),
    ("session_s", "ONNX session in the child, s"),
    ("window_s", "the window itself, s"),
    ("first_score_s", "start to first scored window, s"),
    ("first_score_cpu_s", "the same, processor time, s"),
    ("resample_s", "first resampling in the child, s"),
    ("parent_mib", "memory of the parent, MiB"),
    ("child_mib", "the child's own on top, MiB"),
    ("child_resampled_mib", "the same after resampling, MiB"),
    ("n_modules", "modules imported by the parent"),
    ("command_s", "tonalog score FILE, start to end, s"),
    ("command_cpu_s", "the same, processor time, s"),
    ("worker_s", "tonalog worker, start to first result, s"),
    ("worker_cpu_s", "the same, processor time, s"),
    ("worker_parent_mib", "its parent after that, MiB"),
    ("worker_child_mib", "its child's own after that, MiB"),
)


def main() -> int:
    """Run all rounds and print the medians."""
    options = read_options()
    folder = options.model or default_bundle(Settings.read())
    print_protocol(
        f"{options.rounds} fresh processes of each kind in turn, bundle {folder.name}; warm file cache, medians",
        order="one run beforehand is thrown away",
    )
    figures = measure(folder, n_rounds=options.rounds)
    for key, text in ROWS:
        print(f"{text:<42}{figures[key]:>12.2f}")
    return 0


def measure(folder: Path, *, n_rounds: int) -> dict[str, float]:
    """Return the median of each figure of `ROWS`; `start_s` and `start_cpu_s` are a worker's, to the first scored window."""
    with tempfile.TemporaryDirectory() as temporary:
        home = prepare_home(Path(temporary))
        rounds = [{**run_child(folder), **run_command(folder), **run_worker(home)} for _ in range(n_rounds + 1)][1:]
    figures = {key: statistics.median(one[key] for one in rounds) for key, _ in ROWS}
    return {"start_s": figures["first_score_s"], "start_cpu_s": figures["first_score_cpu_s"], **figures}


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


def run_command(folder: Path) -> dict[str, float]:
    """Score a note of 8 s by `tonalog score` and return how long that took."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tonalog", "score", "--model", str(folder), str(NOTE)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"tonalog score ended with {process.returncode}")
    return {"command_s": time.perf_counter() - start, "command_cpu_s": usage.ru_utime + usage.ru_stime}


def prepare_home(folder: Path) -> Path:
    """Make an embedded database and queue with one job that waits; return the home folder."""
    notes = folder / "notes"
    notes.mkdir()
    shutil.copy(NOTE, notes)
    environment = {**os.environ, "TONALOG_HOME": str(folder / "home")}
    for arguments in (["db", "upgrade"], ["scan", str(notes)]):
        command = [sys.executable, "-P", "-m", "tonalog", *arguments]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "home"


def run_worker(home: Path) -> dict[str, float]:
    """Start a real worker beside a job that waits, and return what it took until the result was in the database."""
    with tempfile.TemporaryDirectory() as temporary:
        own = Path(temporary) / "home"
        shutil.copytree(home, own)
        start = time.perf_counter()
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", "tonalog", "worker", "--concurrency", "1"],
            env={**os.environ, "TONALOG_HOME": str(own)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_result(own, until=start + WITHIN_S)
            seconds = time.perf_counter() - start
            parent, child = list_tree(worker.pid)
            return {
                "worker_s": seconds,
                "worker_cpu_s": read_processor_s(parent) + read_processor_s(child),
                "worker_parent_mib": read_memory_mib(parent).resident,
                "worker_child_mib": read_memory_mib(child).own,
            }
        finally:
            worker.terminate()
            worker.wait()


def wait_for_result(home: Path, *, until: float) -> None:
    """Return when the database has a result.

    Raises:
        TimeoutError: It has none at `until`, by `time.perf_counter`.
    """
    place = f"file:{home / 'tonalog.db'}?mode=ro"
    while time.perf_counter() < until:
        database = sqlite3.connect(place, uri=True)
        try:
            if database.execute("SELECT count(*) FROM results").fetchone()[0]:
                return
        finally:
            database.close()
        time.sleep(POLL_S)
    raise TimeoutError(f"the worker has scored nothing within {WITHIN_S:g} s")


if __name__ == "__main__":
    sys.exit(main())
