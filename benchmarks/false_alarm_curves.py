"""Write the curves of the operator's page: which share of simulated persons is flagged within so many monitored days.

python -m benchmarks.false_alarm_curves [--people 4000] [--seed 0] [--out pictures/false_alarms.json]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.trend_people import TEXTBOOK_DAYS, Outcome, wander, watch, watch_by_the_textbook
from trends import TrendSettings

MONITORED = 90
N_BASELINE = 60
OUT = Path(__file__).resolve().parents[1] / "pictures" / "false_alarms.json"


def share_so_far(outcome: Outcome) -> list[float]:
    """Return the share of persons that were flagged up to each monitored day, as many as `MONITORED`."""
    ever = np.maximum.accumulate(outcome.is_flagged, axis=1)
    return [round(float(share), 4) for share in ever.mean(axis=0)]


def make_curves(n_people: int, seed: int) -> dict[str, list[float]]:
    """Return each curve by its name."""
    settings = TrendSettings()
    curves = {}
    for rho in (0.0, 0.3, 0.5):
        days = wander(np.random.default_rng(seed), n_people, N_BASELINE + MONITORED, rho=rho)
        curves[f"no change, autocorrelation {rho:g}"] = share_so_far(watch(days, N_BASELINE, settings))
    days = wander(np.random.default_rng(seed), n_people, N_BASELINE + MONITORED, rho=0.3)
    days[:, N_BASELINE:] += 0.8
    curves["a shift of 0.8 SD"] = share_so_far(watch(days, N_BASELINE, settings, shift=0.8))
    days = wander(np.random.default_rng(seed), n_people, TEXTBOOK_DAYS + MONITORED, rho=0.3)
    curves["no change, a textbook chart"] = share_so_far(watch_by_the_textbook(days))
    return curves


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    curves = make_curves(given.people, given.seed)
    told = {
        "made_by": f"python -m benchmarks.false_alarm_curves --people {given.people} --seed {given.seed}",
        "n_people": given.people,
        "baseline_days": N_BASELINE,
        "textbook_baseline_days": TEXTBOOK_DAYS,
        "curves": curves,
    }
    given.out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for name, shares in curves.items():
        print(f"{name:<40} {shares[27]:6.1%} {shares[44]:6.1%} {shares[-1]:6.1%}")


if __name__ == "__main__":
    main()
