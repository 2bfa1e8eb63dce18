"""Break every codec's recording in many ways and print how each ended; exits with 1 on a crash, a hang or a surprise.

python -m tests.hostile.fuzz [--mutants 1000] [--seed 0] [--codec NAME] [--keep FOLDER]
"""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile.arena import Arena, Verdict
from tests.hostile.mutate import make_mutant
from tests.hostile.sources import ENCODERS, make_sources
from worker.audio.errors import AudioReason

DECODED = ("scored", "no_speech")
ALLOWED = frozenset({*DECODED, *(reason.value for reason in AudioReason), "MEMORY"})
"""How a recording may end, whatever is in it; INTERNAL, a crash and a hang are faults of ours."""


@dataclass
class Tally:
    """How the mutants of one codec ended."""

    ended: Counter[str] = field(default_factory=Counter)
    peak_mib: float = 0.0
    longest_s: float = 0.0
    faults: list[str] = field(default_factory=list)

    def add(self, verdict: Verdict, *, what: str) -> None:
        """Count one."""
        self.ended[verdict.ended] += 1
        self.peak_mib = max(self.peak_mib, verdict.peak_mib)
        self.longest_s = max(self.longest_s, verdict.seconds)
        if verdict.ended not in ALLOWED:
            self.faults.append(f"{what}: {verdict.ended}: {verdict.detail}")


def fuzz(arena: Arena, *, codec: str, sources: dict[str, bytes], n_mutants: int, seed: int, keep: Path | None) -> Tally:
    """Judge mutants of one codec; those that end as nothing may end are written to `keep`."""
    names = list(sources)
    tally = Tally()
    for index in range(n_mutants):
        other = sources[names[(names.index(codec) + 1 + index) % len(names)]]
        done, mutant = make_mutant(sources[codec], other, seed=(seed, names.index(codec), index))
        verdict = arena.judge(mutant)
        tally.add(verdict, what=f"{codec} {seed}/{index} ({done})")
        if keep is not None and verdict.ended not in ALLOWED:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{codec}-{seed}-{index}").write_bytes(mutant)
    return tally


def main() -> int:
    """Run and print a line for each codec."""
    options = read_options()
    sources = make_sources()
    n_faults = 0
    print(f"{options.mutants} mutants of each codec, seed {options.seed}, at most {options.limit_s:.0f} s each")
    print(
        f"{'codec':<11}{'decoded':>8}{'refused':>8}{'crashes':>8}{'hangs':>6}{'peak MiB':>9}{'longest s':>10}  refused as"
    )
    with Arena(limit_s=options.limit_s) as arena:
        for codec in options.codec or sources:
            tally = fuzz(
                arena, codec=codec, sources=sources, n_mutants=options.mutants, seed=options.seed, keep=options.keep
            )
            print(describe(codec, tally), flush=True)
            for fault in tally.faults:
                print(f"  {fault}", file=sys.stderr)
            n_faults += len(tally.faults)
    print(f"{n_faults} faults")
    return 1 if n_faults else 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mutants", type=int, default=1000, help="of each codec")
    parser.add_argument("--seed", type=int, default=0, help="decides every mutant")
    parser.add_argument("--codec", action="append", choices=list(ENCODERS), help="only this; may be given again")
    parser.add_argument("--limit-s", type=float, default=30.0, help="what takes longer hangs")
    parser.add_argument("--keep", type=Path, help="folder for the mutants that should not have ended as they did")
    return parser.parse_args()


def describe(codec: str, tally: Tally) -> str:
    """Make a line of the table."""
    n_decoded = sum(tally.ended[status] for status in DECODED)
    n_crashes, n_hangs = tally.ended["crash"], tally.ended["hang"]
    n_refused = tally.ended.total() - n_decoded - n_crashes - n_hangs
    reasons = sorted((n, name) for name, n in tally.ended.items() if name not in (*DECODED, "crash", "hang"))
    return (
        f"{codec:<11}{n_decoded:>8}{n_refused:>8}{n_crashes:>8}{n_hangs:>6}{tally.peak_mib:>9.0f}{tally.longest_s:>10.2f}"
        f"  {', '.join(f'{n} {name}' for n, name in reversed(reasons))}"
    )


if __name__ == "__main__":
    sys.exit(main())
