"""A step of `make bench`: the start of a worker up to its first score, and what memory it takes, of the shipped bundle."""

from __future__ import annotations

from benchmarks import startup
from config.settings import Settings
from tonalog.bundles import default_bundle


def measure(*, n_rounds: int = 5) -> dict[str, float]:
    """Return the median of each figure over fresh processes; a run beforehand is thrown away, so files are in the system's cache."""
    return startup.measure(default_bundle(Settings()), n_rounds=n_rounds)
