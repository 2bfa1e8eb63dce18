"""`make bench`: run each step in a process of its own, and write results.json, results.md and results.svg beside this file.

python -m benchmarks.bench [--quick] [--only STEP ...]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.bench_page import write_page
from benchmarks.bench_steps import BENCH_STEPS, Step, StepMissing, run_step
from benchmarks.bench_summary import FIGURES, judge, summarise
from benchmarks.in_turn import pin_to_one_core
from benchmarks.protocol import cpu_name, versions

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "results.json"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LIMIT_S = 870
"""Of the whole run: what is left of it is the limit of the last steps."""
GRACE_S = 15
CPU_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")
PROTOCOL = (
    "each step in a process of its own, one thread, pinned to one core except where it starts other processes; the variants of a "
    "step take turns in one process, every other turn backwards, after a warm-up; ratios are of processor time, turn by turn; "
    "a figure is the median, a spread the middle half"
)


def main() -> int:
    """Run the steps; return 1 if one failed, 2 for a step that nobody knows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="two turns over few notes, to try it; writes under build/bench"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=[step.name for step in BENCH_STEPS],
        help="measure these anew and keep the others",
    )
    parser.add_argument(
        "--page", action="store_true", help="measure nothing; write page and picture of results.json anew"
    )
    parser.add_argument("--as-step", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_step:
        return be_step(options.as_step, is_quick=options.quick)
    target = ROOT / "build" / "bench" / RESULTS.name if options.quick else RESULTS
    if options.page:
        write_page(json.loads(target.read_text(encoding="utf-8")), target.parent)
        return 0
    results = describe_run(is_quick=options.quick)
    if options.only and target.exists():
        results["steps"] = json.loads(target.read_text(encoding="utf-8"))["steps"]
    for step in BENCH_STEPS:
        if not options.only or step.name in options.only:
            left_s = LIMIT_S - (time.time() - results["began"])
            results["steps"][step.name] = run_apart(step, limit_s=min(step.limit_s, left_s), is_quick=options.quick)
    results |= summarise(results["steps"])
    results["steps"] = {step.name: results["steps"][step.name] for step in BENCH_STEPS if step.name in results["steps"]}
    results["load"]["end"] = os.getloadavg()[0]
    results["wall_s"] = time.time() - results.pop("began")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_page(results, target.parent)
    print_figures(results)
    print(f"\n{target.relative_to(ROOT)}, .md and .svg beside it, after {results['wall_s'] / 60:.1f} minutes")
    return 1 if any("failed" in step for step in results["steps"].values()) else 0


def describe_run(*, is_quick: bool) -> dict[str, Any]:
    """Return what a reader needs to judge the figures."""
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text(encoding="utf-8").split()) if info.exists() else set()
    return {
        "began": time.time(),
        "at": datetime.now(UTC).strftime("%Y-%m-%d"),
        "is_quick": is_quick,
        "machine": {
            "cpu": cpu_name(),
            "cores": os.cpu_count(),
            "flags": [flag for flag in CPU_FLAGS if flag in flags],
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": ["Python " + platform.python_version(), *versions()],
        "protocol": PROTOCOL,
        "load": {"start": os.getloadavg()[0]},
        "steps": {},
    }


def run_apart(step: Step, *, limit_s: float, is_quick: bool) -> dict[str, Any]:
    """Run a step in a process of its own and return its figures, or under `failed` or `missing` why there are none."""
    print(f"{step.name}: {step.title} ...", file=sys.stderr, flush=True)
    began, load = time.perf_counter(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "benchmarks.bench", "--as-step", step.name, *(["--quick"] if is_quick else [])]
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "BENCH_ANSWER": str(answer)}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(HERE), str(ROOT / "tests")])
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sys.stderr, start_new_session=True)
        try:
            status = process.wait(max(limit_s, 1))
            figures = {"failed": f"ended with {status}"}
            if answer.exists():
                figures = json.loads(answer.read_text(encoding="utf-8"))
        except subprocess.TimeoutExpired:
            figures = {"failed": f"took longer than {limit_s:.0f} s"}
            process.send_signal(signal.SIGINT)  # so that it ends its servers and removes their folders
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):  # servers that it started as well
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    took_s = time.perf_counter() - began
    why = figures.get("failed") or figures.get("missing")
    print(f"{step.name}: {why or 'measured'} after {took_s:.0f} s", file=sys.stderr, flush=True)
    return {**figures, "title": step.title, "took_s": took_s, "load": [load, os.getloadavg()[0]]}


def be_step(name: str, *, is_quick: bool) -> int:
    """Measure one step in this process and leave its figures in the file that BENCH_ANSWER names."""
    step = next(step for step in BENCH_STEPS if step.name == name)
    core = pin_to_one_core() if step.is_pinned else None
    try:
        figures = {**run_step(step, is_quick=is_quick), "core": core}
    except StepMissing as error:
        figures = {"missing": str(error)}
    Path(os.environ["BENCH_ANSWER"]).write_text(json.dumps(figures), encoding="utf-8")
    return 0


def print_figures(results: dict[str, Any]) -> None:
    """Print each figure with its baseline, its goal and how far it is from it."""
    load = results["load"]
    print(
        f"{results['machine']['cpu']}, {results['machine']['cores']} cores, load {load['start']:.1f} to {load['end']:.1f}"
    )
    for figure in FIGURES:
        value = results[figure.name]
        said = "-" if value is None else f"{value:.3g}"
        goal = "" if figure.goal is None else f"goal {figure.goal:g}"
        print(f"{figure.name:28}{said:>8} {figure.unit:5}{goal:10}{judge(figure, value):52}{figure.text}")


if __name__ == "__main__":
    sys.exit(main())
