"""Play folders of real speech and real sounds through a bundle as serving does, and count what its gate does."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.corpora import find_audio
from training.screen import say
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer, WindowScores


class _Noting(Scorer):
    """A scorer that keeps the probability of speech of every window."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(load_bundle(bundle))
        self.probabilities: list[float] = []

    def score(self, signal: NDArray[np.float32]) -> WindowScores:
        scored = super().score(signal)
        self.probabilities.append(float(scored.speech_probability or 0.0))
        return scored


def report_folder(folder: Path, bundle: Path, *, step: int) -> None:
    """Print, for one folder, how many files reach the gate and how sure it is that their windows are speech."""
    scorer, n_reached = _Noting(bundle), 0
    manifest, files = scorer.bundle.manifest, find_audio(folder)[::step]
    if manifest.speech_gate is None:
        raise SystemExit(f"{manifest.name} {manifest.version} has no speech gate; one is needed to check it")
    for path in files:
        n_before = len(scorer.probabilities)
        with path.open("rb") as file:
            score_recording(file, scorer)
        n_reached += len(scorer.probabilities) > n_before
    scores = np.array(scorer.probabilities or [0.0])
    accepted = float((scores >= manifest.speech_gate.threshold).mean())
    say(
        f"{folder.name}: {len(files)} files, {n_reached} past the voice activity detector, {len(scorer.probabilities)} windows, "
        f"{accepted:.4f} accepted, lowest {scores.min():.3f}, highest {scores.max():.3f}"
    )


def main() -> None:
    """Report every folder."""
    parser = argparse.ArgumentParser(prog="python -m training.studies.check_gate", description=__doc__)
    parser.add_argument("bundle", type=Path, help="bundle folder")
    parser.add_argument("folders", type=Path, nargs="+", help="folders of audio, one kind each")
    parser.add_argument("--step", type=int, default=1, help="take every n-th file")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        report_folder(folder, arguments.bundle, step=arguments.step)


if __name__ == "__main__":
    main()
