"""The steps of `make bench`: which module measures what, and with what arguments; the one list of them."""

from __future__ import annotations

import contextlib
import importlib
import io
import runpy
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step, run in a process of its own.

    Attributes:
        name: under which its figures stand in `results.json`.
        module: below `benchmarks`.
        title: what it measures.
        function: of the module, gives a dict of figures; None runs the module as a script and keeps what it prints.
        is_pinned: the process is kept on one core; not where it starts others that share the machine.
        limit_s: wall time after which the step is ended and counts as failed.
        arguments: of the function, or of the script as `--name value`.
        quick: those that the quick mode has in their place.
    """

    name: str
    module: str
    title: str
    function: str | None = "measure"
    is_pinned: bool = True
    limit_s: int = 180
    arguments: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)


BENCH_STEPS = (
    Step(
        name="limits",
        module="limits",
        title="the machine's limits: int8 products, float32 products, a copy of memory",
        arguments={"n_turns": 15},
        quick={"n_turns": 3},
    ),
    Step(
        name="model",
        module="model_cost",
        title="one window of 8 s through each model",
        arguments={"n_turns": 9},
        quick={"n_turns": 2},
    ),
    Step(
        name="decode",
        module="decode_cost",
        title="bytes to mono at 16 kHz, and finding speech",
        arguments={"n_turns": 5},
        quick={"n_turns": 2, "n_notes": 4},
    ),
    Step(
        name="end_to_end",
        module="end_to_end",
        title="notes in, scores out",
        limit_s=420,
        arguments={"n_turns": 3},
        quick={"n_turns": 2, "n_notes": 3},
    ),
    Step(
        name="engine",
        module="engine",
        title="one window of 8 s of the shipped model through each engine, and windows of other lengths",
        arguments={"n_turns": 9},
        quick={"n_turns": 2, "n_windows": 2},
    ),
    Step(
        name="codecs",
        module="audio_stages",
        title="decoding codec by codec",
        arguments={"n_turns": 5, "seconds": 30.0},
        quick={"n_turns": 2, "seconds": 6.0},
    ),
    Step(
        name="start",
        module="bench_start",
        title="start of a worker, and its memory",
        is_pinned=False,
        arguments={"n_rounds": 5},
        quick={"n_rounds": 2},
    ),
    Step(
        name="system",
        module="whole_system",
        title="the whole system, from the scan to the last row, against the bare pipeline",
        is_pinned=False,
        limit_s=240,
        arguments={"n_15s": 120, "n_2s": 400},
        quick={"n_15s": 16, "n_2s": 40},
    ),
    Step(
        name="ledger",
        module="queues",
        title="jobs a second through ledger and queue alone",
        is_pinned=False,
        arguments={"n_jobs": 3000, "n_rounds": 2},
        quick={"n_jobs": 200, "n_rounds": 1},
    ),
    Step(
        name="length",
        module="note_length",
        title="what a note costs by its length",
        arguments={"lengths_s": [1, 10, 100, 1000], "codecs": ["opus"], "n_rounds": 3},
        quick={"lengths_s": [1, 10], "n_rounds": 1},
    ),
    Step(
        name="registering",
        module="registering",
        title="objects a second that a scan registers",
        is_pinned=False,
        arguments={"sizes": [5_000, 20_000], "n_asked": 2_000},
        quick={"sizes": [500], "n_asked": 200},
    ),
    Step(
        name="reads",
        module="read_growth",
        title="reads as segments pile up",
        is_pinned=False,
        arguments={"segments": [100_000, 1_000_000], "n_rounds": 5},
        quick={"segments": [10_000], "n_rounds": 2},
    ),
    Step(
        name="growth",
        module="ledger_growth",
        function=None,
        title="what the ledger's work costs as jobs pile up",
        is_pinned=False,
        limit_s=120,
        arguments={"jobs": [10_000, 100_000], "seconds": 100},
        quick={"jobs": [1_000], "seconds": 30},
    ),
)
"""In this order; a step that no longer fits into `bench.LIMIT_S` is left out, and the results say so."""


class StepMissing(Exception):
    """The module of a step is not there, or it has no such function."""


def run_step(step: Step, *, is_quick: bool) -> dict[str, Any]:
    """Measure in this process.

    Returns:
        The figures; of a script its lines under `printed`, and under `failed` the exit status where that was not 0.

    Raises:
        StepMissing: there is nothing to call.
    """
    path = HERE / f"{step.module}.py"
    if not path.exists():
        raise StepMissing(f"benchmarks/{path.name} is not there")
    arguments = {**step.arguments, **(step.quick if is_quick else {})}
    if step.function is None:
        return _run_script(path, arguments)
    measure = getattr(importlib.import_module(f"benchmarks.{step.module}"), step.function, None)
    if measure is None:
        raise StepMissing(f"benchmarks/{path.name} has no {step.function}(...)")
    figures: dict[str, Any] = measure(**arguments)
    return figures


def _run_script(path: Path, arguments: Mapping[str, Any]) -> dict[str, Any]:
    printed, status = io.StringIO(), None
    before, sys.argv = sys.argv, [str(path), *as_options(arguments)]
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as ending:
        status = ending.code
    finally:
        sys.argv = before
    figures: dict[str, Any] = {"printed": printed.getvalue().splitlines()}
    return figures | ({"failed": f"ended with {status}"} if status else {})


def as_options(arguments: Mapping[str, Any]) -> list[str]:
    """Write arguments as options of a command line; True is an option without a value.

    >>> as_options({"jobs": [10, 20], "as_owner": True, "seconds": 1.5})
    ['--jobs', '10', '20', '--as-owner', '--seconds', '1.5']
    """
    options: list[str] = []
    for name, value in arguments.items():
        values = [] if value is True else value if isinstance(value, (list, tuple)) else [value]
        options += [f"--{name.replace('_', '-')}", *map(str, values)]
    return options
