"""What a second of audio costs in notes of one second up to hours, stage by stage; processor time of the worker's pipeline.

python -m benchmarks.note_length [--seconds N ...] [--codec NAME ...] [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from config.settings import Settings
from tonalog.bundles import default_bundle
from worker.audio.decode import SAMPLING_RATE_HZ as RATE_HZ
from worker.limits import limits_of
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer
from worker.scoring.stopwatch import Stopwatch

sys.path.insert(0, str(Path(__file__).resolve().parent))
from memory import MINUTE_S, WRITERS, read_minute
from protocol import print_protocol

AT_LEAST_S = 60  # of audio in each round: a note of a second is scored so many times
STAGES = ("decode", "vad", "model", "voice", "rest")
Figures = dict[str, dict[int, dict[str, float]]]


def main() -> int:
    """Write, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, nargs="+", default=[1, 15, 120, 1800], help="lengths of the notes")
    parser.add_argument("--codec", nargs="+", default=["wav", "opus"], choices=list(WRITERS))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print_protocol(
        f"notes of {options.seconds} s of voice and pauses in {', '.join(options.codec)}, scored as a worker scores them; "
        f"at least {AT_LEAST_S} s of audio a round",
        order=f"all lengths in turn, {options.rounds} rounds, one process; medians of processor time",
    )
    measure(options.seconds, options.codec, n_rounds=options.rounds)
    return 0


def measure(lengths_s: list[int], codecs: list[str], *, n_rounds: int) -> Figures:
    """Score and print; gives ms of processor time for each second of audio, by codec, length and stage."""
    settings = Settings.read()
    scorer = Scorer(load_bundle(default_bundle(settings)), threads=settings.scorer_threads)
    figures: Figures = {}
    for codec in codecs:
        with tempfile.TemporaryDirectory() as folder:
            notes = {length_s: write(Path(folder) / f"{length_s}", codec, length_s) for length_s in lengths_s}
            rounds: dict[int, list[dict[str, float]]] = {length_s: [] for length_s in lengths_s}
            score(notes[min(lengths_s)], scorer, settings)  # what is done once
            for _ in range(n_rounds):
                for length_s, path in notes.items():
                    rounds[length_s].append(score(path, scorer, settings, n_times=-(-AT_LEAST_S // length_s)))
        figures[codec] = {
            length_s: {name: median(found[name] for found in taken) for name in taken[0]}
            for length_s, taken in rounds.items()
        }
        tell(codec, figures[codec])
    return figures


def write(path: Path, codec: str, length_s: int) -> Path:
    """Write a note: an example's voice and pauses, again and again."""
    n_pieces = -(-length_s // MINUTE_S)
    WRITERS[codec](path, read_minute()[: length_s * RATE_HZ // n_pieces], n_pieces)
    return path


def score(path: Path, scorer: Scorer, settings: Settings, *, n_times: int = 1) -> dict[str, float]:
    """Score a note several times; gives ms of processor time for each second of audio, by stage and in all, and windows."""
    limits = replace(limits_of(settings), max_bytes=1 << 31, max_decode_s=3600.0)
    watch, audio_s, n_windows = Stopwatch(time.process_time), 0.0, 0
    with path.open("rb") as file:
        for _ in range(n_times):
            file.seek(0)
            note = score_recording(file, scorer, limits=limits, stopwatch=watch)
            audio_s += note.duration_ms / 1000
            n_windows += note.n_windows
    found = {stage: watch.seconds[stage] * 1000 / audio_s for stage in STAGES}
    return found | {"all": sum(watch.seconds.values()) * 1000 / audio_s, "windows_a_minute": n_windows * 60 / audio_s}


def tell(codec: str, by_length: dict[int, dict[str, float]]) -> None:
    """Print a table."""
    print(f"\n{codec}, load {os.getloadavg()[0]:.1f}; ms of processor time for each second of audio")
    print(f"{'length':>8}{'all':>9}" + "".join(f"{stage:>9}" for stage in STAGES) + f"{'windows/min':>13}")
    for length_s, found in by_length.items():
        stages = "".join(f"{found[stage]:>9.2f}" for stage in STAGES)
        print(f"{length_s:>6} s{found['all']:>9.2f}{stages}{found['windows_a_minute']:>13.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
