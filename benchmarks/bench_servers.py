"""Steps of `make bench` around benchmarks that start processes and servers of their own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import queues, startup
from benchmarks.in_turn import spread
from config.settings import Settings
from tonalog.bundles import default_bundle

PUMP_S = 0.25


def measure_start(*, n_rounds: int = 5) -> dict[str, Any]:
    """Return seconds from the start of a worker's process to its first score, and what memory parent and child hold.

    Processor time says the same as wall time here on a machine with nothing else to do; elsewhere the wall time is the
    neighbours' as well, so that the least of the rounds is the figure.
    """
    folder = default_bundle(Settings())
    startup.run_child(folder)
    rounds = [startup.run_child(folder) for _ in range(n_rounds)]
    kinds = [key for key in rounds[0] if isinstance(rounds[0][key], (int, float))]
    figures: dict[str, Any] = {key: spread([one[key] for one in rounds]) for key in kinds}
    return {
        "start_s": figures["first_score_s"]["median"],
        "start_least_s": figures["first_score_s"]["least"],
        **figures,
    }


def measure_ledger(*, n_jobs: int, n_rounds: int, n_processes: int) -> dict[str, Any]:
    """Return jobs a second on both stacks, in turn, with nothing scored: published, claimed, finished."""
    rates: dict[str, list[float]] = {"file queue + SQLite": [], "Redis + PostgreSQL": []}
    with queues.servers() as (new_database, broker_url), tempfile.TemporaryDirectory() as folder:
        for number in range(n_rounds):
            home = Path(folder) / str(number)
            served = {"database_url": new_database(), "broker_url": broker_url}
            stacks = (
                Settings(home=home / "embedded", worker_concurrency=n_processes),
                Settings(home=home / "served", worker_concurrency=n_processes, **served),
            )
            for name, settings in zip(rates, stacks, strict=True):
                rates[name].append(queues.measure(settings, n_jobs=n_jobs, pump_s=PUMP_S))
    return {
        "n_jobs": n_jobs,
        "n_processes": n_processes,
        "cores": os.cpu_count(),
        "jobs_a_s": {name: spread(some) for name, some in rates.items()},
    }
