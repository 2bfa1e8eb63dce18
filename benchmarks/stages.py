"""Score recordings by the worker's own pipeline and say where the time goes; stores nothing.

python benchmarks/stages.py FOLDER... [--per-class N]
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from protocol import print_protocol

from config.settings import Settings
from tonalog.bundles import default_bundle
from worker.audio.errors import AudioError
from worker.limits import limits_of
from worker.scoring.bundle import load_bundle
from worker.scoring.note import NoteScores, NoteStatus
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer, ScoringError
from worker.scoring.stopwatch import Stopwatch

SUFFIXES = {".wav", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".flac", ".amr", ".3gp", ".webm", ".caf", ".aif", ".aiff"}
CREMA_D = r"_(ANG|HAP|NEU|SAD)_"
NO_CLASS = "recordings"


def main() -> int:
    """Run; return 1 if a recording could not be scored."""
    options = read_options()
    chosen = choose(options.folders, pattern=options.class_pattern, n_per_class=options.per_class, seed=options.seed)
    if not chosen:
        print(f"No recording in {', '.join(map(str, options.folders))}.", file=sys.stderr)
        return 2
    settings = Settings.read()
    bundle = load_bundle(options.model or default_bundle(settings))
    n_of = Counter(name for name, _ in chosen)
    print_protocol(
        f"{bundle.manifest.name}-{bundle.manifest.version} on {len(chosen)} recordings: "
        + ", ".join(f"{n} {name}" for name, n in sorted(n_of.items())),
        order=f"one process, one recording after another, classes mixed (seed {options.seed})",
    )
    scorer = Scorer(bundle, threads=settings.scorer_threads)
    stopwatch = Stopwatch()
    ended: Counter[tuple[str, str]] = Counter()
    audio_ms = speech_ms = n_windows = 0
    start_s = time.perf_counter()
    for name, path in chosen:
        note = score(path, scorer, settings=settings, stopwatch=stopwatch)
        ended[name, "failed" if note is None else note.status.value] += 1
        if note is not None:
            audio_ms, speech_ms = audio_ms + note.duration_ms, speech_ms + note.speech_ms
            n_windows += note.n_windows
    total_s = time.perf_counter() - start_s
    print_states(n_of, ended)
    print_times(stopwatch, total_s=total_s, audio_s=audio_ms / 1000, n=len(chosen))
    print(f"speech {speech_ms / 1000:.0f} s in {n_windows} windows")
    return 1 if any(state == "failed" for _, state in ended) else 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="recordings, searched in all depths")
    parser.add_argument("--per-class", type=int, help="how many of each class; default: all")
    parser.add_argument("--class-pattern", default=CREMA_D, help="group 1 of a name is its class (default: CREMA-D's)")
    parser.add_argument("--model", type=Path, help="bundle folder; default: the shipped one")
    parser.add_argument("--seed", type=int, default=0, help="of the choice and the order")
    return parser.parse_args()


def choose(folders: list[Path], *, pattern: str, n_per_class: int | None, seed: int) -> list[tuple[str, Path]]:
    """Choose recordings of each class and mix them.

    Returns:
        (class, file). If no name has a class, all recordings are one.
    """
    files = sorted({path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES})
    found = [(match.group(1), path) for path in files if (match := re.search(pattern, path.name))]
    classed = found or [(NO_CLASS, path) for path in files]
    rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
    rng.shuffle(classed)
    n_taken: Counter[str] = Counter()
    chosen = []
    for name, path in classed:
        if n_per_class is None or n_taken[name] < n_per_class:
            n_taken[name] += 1
            chosen.append((name, path))
    return chosen


def score(path: Path, scorer: Scorer, *, settings: Settings, stopwatch: Stopwatch) -> NoteScores | None:
    """Score one recording; say which one has no score, and why."""
    try:
        with path.open("rb") as file:
            note = score_recording(file, scorer, limits=limits_of(settings), stopwatch=stopwatch)
    except (AudioError, ScoringError, OSError) as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return None
    if note.status is NoteStatus.NO_SPEECH:
        print(f"{path.name}: no speech ({note.speech_ms} ms found, {note.rejected_ms} ms rejected)", file=sys.stderr)
    return note


def print_states(n_of: Counter[str], ended: Counter[tuple[str, str]]) -> None:
    """Print how the recordings of each class ended."""
    states = ("scored", "no_speech", "failed")
    print(f"\n{'class':<12}" + "".join(f"{state:>12}" for state in states))
    for name in sorted(n_of):
        print(f"{name:<12}" + "".join(f"{ended[name, state]:>12}" for state in states))


def print_times(stopwatch: Stopwatch, *, total_s: float, audio_s: float, n: int) -> None:
    """Print the time of each stage, as a whole, for each recording, and as a share."""
    stages = dict(stopwatch.seconds)
    stages["rest"] += total_s - sum(stages.values())
    print(f"\n{'stage':<12}{'s':>12}{'ms each':>12}{'share':>12}")
    for name, seconds in stages.items():
        print(f"{name:<12}{seconds:>12.2f}{1000 * seconds / n:>12.2f}{seconds / total_s:>12.1%}")
    print(f"{'total':<12}{total_s:>12.2f}{1000 * total_s / n:>12.2f}{'':>12}")
    print(f"audio {audio_s:.0f} s, {audio_s / total_s:.1f} times as fast as it was spoken")


if __name__ == "__main__":
    sys.exit(main())
