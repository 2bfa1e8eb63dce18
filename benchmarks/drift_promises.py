"""Hold the nightly measure of drift to its promises on simulated persons, and print the table; exit 1 where one is broken.

python -m benchmarks.drift_promises [--nights 400] [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.drift_people import measure_installation
from benchmarks.protocol import print_protocol
from benchmarks.trend_promises import Row
from trends.comparing.drift import Drift, DriftState

RHO = 0.3
_N_TRUTH = 4_000  # persons: of so many the divergence is the population's


def run_nights(n_nights: int, seed: int, n_persons: int, *, rho: float = RHO, shift: float = 0.0) -> list[Drift]:
    """Return the nights of as many installations, which know nothing of each other."""
    rng = np.random.default_rng((seed, n_persons, round(100 * rho), round(100 * shift)))
    return [measure_installation(rng, n_persons, rho=rho, shift=shift) for _ in range(n_nights)]


def share_moved(nights: list[Drift]) -> float:
    """Return the share of nights that say that something has moved."""
    return sum(night.state is DriftState.MOVED for night in nights) / len(nights)


def check_false_alarms(n_nights: int, seed: int) -> Iterator[Row]:
    """Share of nights with an alarm where nothing has changed, by the number of persons."""
    for n_persons in (30, 100, 300):
        nights = run_nights(n_nights, seed, n_persons)
        yield Row(
            f"alarm without a change, {n_persons} persons, autocorrelation {RHO}", share_moved(nights), at_most=0.05
        )
    nights = run_nights(n_nights, seed, 30, rho=0.6)
    yield Row("alarm without a change, 30 persons, autocorrelation 0.6", share_moved(nights), at_most=0.05)


def check_power(n_nights: int, seed: int) -> Iterator[Row]:
    """Share of nights with an alarm where everybody's sadness has moved, and how often the interval is right."""
    for shift, least in ((0.5, 0.0), (0.8, 0.9)):
        truth = {one.name: one.divergence for one in run_nights(1, seed + 1, _N_TRUTH, shift=shift)[0].measures}
        nights = run_nights(n_nights, seed, 100, shift=shift)
        what = f"everybody's sadness moved by {shift} in log odds, 100 persons"
        yield Row(f"alarm, {what}", share_moved(nights), at_least=least, is_promise=least > 0)
        of_sadness = [one for night in nights for one in night.measures if one.name == "sadness"]
        inside = sum(one.low <= truth["sadness"] <= one.high for one in of_sadness) / len(of_sadness)
        yield Row(f"interval holds the truth, {what}", inside, at_least=0.9)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print_protocol(f"{given.nights} simulated nights a row, seed {given.seed}", order="one row after the other")
    rows = []
    for check in (check_false_alarms, check_power):
        for row in check(given.nights, given.seed):
            print(row, flush=True)
            rows.append(row)
    sys.exit(0 if all(row.holds for row in rows) else 1)


if __name__ == "__main__":
    main()
