"""Time several ways to do the same work in turn, in one process: processor and wall time, spreads, ratios turn by turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Times:
    """What the runs of one variant took.

    Attributes:
        cpu_s: processor time of each turn, of all threads of the process, float64 (n_turns,).
        wall_s: wall time of each turn, float64 (n_turns,).
    """

    cpu_s: NDArray[np.float64]
    wall_s: NDArray[np.float64]


def pin_to_one_core() -> int | None:
    """Keep this process on one core from now on, the last that it may use; None where a system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def time_in_turn(variants: Mapping[str, Callable[[], object]], *, n_turns: int, n_warm_up: int = 1) -> dict[str, Times]:
    """Run each variant once a turn.

    Every other turn goes through them backwards, so that none gains from what ran before it.

    Args:
        variants: name to work.
        n_turns: that count, 1 or more.
        n_warm_up: turns before those.

    Raises:
        ValueError: n_turns is under 1.
    """
    if n_turns < 1:
        raise ValueError(f"n_turns is {n_turns}, allowed are 1 and more")
    cpu_s: dict[str, list[float]] = {name: [] for name in variants}
    wall_s: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(-n_warm_up, n_turns):
        for name in [*variants][:: -1 if turn % 2 else 1]:
            wall, cpu = time.perf_counter(), time.process_time()
            variants[name]()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if turn >= 0:
                cpu_s[name].append(cpu)
                wall_s[name].append(wall)
    return {name: Times(np.array(cpu_s[name]), np.array(wall_s[name])) for name in variants}


def spread(values: Sequence[float] | NDArray[np.float64]) -> dict[str, float]:
    """Return the median of values, their middle half and the least.

    >>> spread([1.0, 2.0, 3.0, 4.0, 50.0])
    {'median': 3.0, 'low': 2.0, 'high': 4.0, 'least': 1.0, 'n': 5}
    """
    low, median, high = np.percentile(values, [25, 50, 75])
    return {
        "median": float(median),
        "low": float(low),
        "high": float(high),
        "least": float(min(values)),
        "n": len(values),
    }


def describe_times(times: Times, *, per: float = 1.0) -> dict[str, Any]:
    """Return the spreads of a variant's processor and wall ms, each divided by `per`: windows, notes or audio seconds."""
    return {"cpu_ms": spread(times.cpu_s * 1e3 / per), "wall_ms": spread(times.wall_s * 1e3 / per)}


def ratio_in_turn(theirs: Times, ours: Times) -> dict[str, float]:
    """Return how many times our processor time theirs is, turn by turn.

    >>> slow, quick = Times(np.array([4.0, 9.0]), np.ones(2)), Times(np.array([2.0, 3.0]), np.ones(2))
    >>> ratio_in_turn(slow, quick)["median"]
    2.5
    """
    return spread(theirs.cpu_s / ours.cpu_s)
