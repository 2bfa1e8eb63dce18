"""Play folders of real speech and real sounds through a bundle as serving does, and count what its gate does; it trains nothing."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.corpora import find_audio, read_signal
from worker.audio.vad import SpeechDetector, VadConfig
from worker.audio.windows import Window, WindowConfig, WindowCutter
from worker.scoring.bundle import load_bundle
from worker.scoring.scorer import Scorer

log = logging.getLogger(__name__)


def cut_windows(
    signal: NDArray[np.float32], vad: VadConfig, window: WindowConfig, *, min_speech_ms: int
) -> Iterator[Window]:
    """Yield the windows that serving would score, none where there is too little speech."""
    detector, cutter = SpeechDetector(vad), WindowCutter(window)
    segments = detector.feed(signal) + detector.flush()
    windows = [item for segment in segments for item in cutter.feed(segment)] + cutter.flush()
    if sum(item.new_speech_ms for item in windows) >= min_speech_ms:
        yield from windows


def report_folder(folder: Path, scorer: Scorer, *, step: int) -> None:
    """Print, for one folder, how many files reach the gate and what it says of their windows."""
    manifest = scorer.bundle.manifest
    if manifest.speech_gate is None:
        raise SystemExit(f"{manifest.name} {manifest.version} has no speech gate; one is needed to check it")
    files = find_audio(folder)[::step]
    scores: list[float] = []
    n_reached = 0
    for path in files:
        windows = list(
            cut_windows(read_signal(path), manifest.vad, manifest.window, min_speech_ms=manifest.min_speech_ms)
        )
        n_reached += bool(windows)
        scores += [float(scorer.score(item.signal).speech_probability or 0.0) for item in windows]
    accepted = np.array(scores) >= manifest.speech_gate.threshold
    share = float(accepted.mean()) if scores else 0.0
    lowest, highest = (min(scores), max(scores)) if scores else (0.0, 0.0)
    log.info(
        "%s: %d files, %d past the voice activity detector, %d windows, %.4f accepted, lowest %.3f, highest %.3f",
        *(folder.name, len(files), n_reached, len(scores), share, lowest, highest),
    )


def main() -> None:
    """Report every folder."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="bundle folder")
    parser.add_argument("folders", type=Path, nargs="+", help="folders of audio, one kind each")
    parser.add_argument("--step", type=int, default=1, help="take every n-th file")
    arguments = parser.parse_args()
    scorer = Scorer(load_bundle(arguments.bundle))
    for folder in arguments.folders:
        report_folder(folder, scorer, step=arguments.step)


if __name__ == "__main__":
    main()
