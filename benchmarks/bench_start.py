"""A step of `make bench`: the start of a worker's process up to its first score, and what memory it takes."""

from __future__ import annotations

from typing import Any

from benchmarks import startup
from benchmarks.in_turn import spread
from config.settings import Settings
from tonalog.bundles import default_bundle


def measure(*, n_rounds: int = 5) -> dict[str, Any]:
    """Return the wall time from start to first score, and what memory parent and child hold, over fresh processes.

    A process is started once before, so that files are in the system's cache. `start_s` is the median; on a machine that
    others use as well the least of the rounds says more.
    """
    folder = default_bundle(Settings())
    startup.run_child(folder)
    rounds = [startup.run_child(folder) for _ in range(n_rounds)]
    kinds = [key for key in rounds[0] if isinstance(rounds[0][key], (int, float))]
    figures: dict[str, Any] = {key: spread([one[key] for one in rounds]) for key in kinds}
    first = figures["first_score_s"]
    return {"start_s": first["median"], "start_least_s": first["least"], **figures}
