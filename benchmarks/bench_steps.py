"""The steps of `make bench`: which module measures what, and with what arguments; the one list of them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step, run in a process of its own.

    Attributes:
        name: under which its figures stand in `results.json`.
        module: below `benchmarks`, with a function `measure(...) -> dict` of figures.
        title: what it measures.
        is_pinned: the process is kept on one core; not where it starts others that share the machine.
        limit_s: wall time after which the step is ended and counts as failed.
        arguments: of `measure`.
        quick: further arguments of the quick mode.
    """

    name: str
    module: str
    title: str
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
)


class StepMissing(Exception):
    """The module of a step is not there, or it has no `measure`."""


def run_step(step: Step, *, is_quick: bool) -> dict[str, Any]:
    """Measure in this process.

    Raises:
        StepMissing: there is nothing to call.
    """
    try:
        module = importlib.import_module(f"benchmarks.{step.module}")
    except ModuleNotFoundError as error:
        if error.name != f"benchmarks.{step.module}":
            raise
        raise StepMissing(f"benchmarks/{step.module}.py is not there") from error
    measure = getattr(module, "measure", None)
    if measure is None:
        raise StepMissing(f"benchmarks/{step.module}.py has no measure(...)")
    figures: dict[str, Any] = measure(**{**step.arguments, **(step.quick if is_quick else {})})
    return figures
