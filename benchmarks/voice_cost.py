"""Say what the measures of the voice cost: score recordings with and without them, in turns, in one process.

python -m benchmarks.voice_cost [FOLDER] [--turns 20]
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.protocol import print_protocol
from config.settings import Settings
from tonalog.bundles import default_bundle
from worker.audio import vad, voicing
from worker.audio.errors import AudioError
from worker.audio.voice_frames import join_frames
from worker.scoring import pipeline
from worker.scoring.bundle import load_bundle
from worker.scoring.scorer import Scorer

EXAMPLES = Path(__file__).parents[1] / "examples" / "notes"
SHARE_ALLOWED = 0.05


def measure_for_the_gate_alone(signal: NDArray[np.float32], centres: NDArray[np.int64]) -> voicing.FrameMeasures:
    """Measure what finding speech needs, by the same steps as `measure_frames`."""
    is_audible, magnitude = voicing._find_magnitudes(signal, centres)  # noqa: SLF001 - the same steps
    nothing = np.zeros(len(centres))
    return voicing.FrameMeasures(magnitude, is_audible, nothing, nothing.astype(np.int64), nothing, nothing)


@contextmanager
def without_measures() -> Iterator[None]:
    """Take the measures of the voice out of scoring."""
    with (
        mock.patch.object(vad, "measure_frames", measure_for_the_gate_alone),
        mock.patch.object(vad, "describe_frames", return_value=join_frames(())),
        mock.patch.object(pipeline.VoiceMeter, "add", return_value=None),
    ):
        yield


def score_all(recordings: list[bytes], scorer: Scorer) -> float:
    """Score every recording; return processor seconds."""
    start_s = time.process_time()
    for recording in recordings:
        try:
            pipeline.score_recording(io.BytesIO(recording), scorer)
        except AudioError:
            continue  # the examples have broken ones too
    return time.process_time() - start_s


def main() -> int:
    """Print the ratio of processor time; return 1 where the measures cost more than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=EXAMPLES)
    parser.add_argument("--turns", type=int, default=20)
    options = parser.parse_args()
    recordings = [path.read_bytes() for path in sorted(options.folder.rglob("*")) if path.is_file()]
    scorer = Scorer(load_bundle(default_bundle(Settings.read())), threads=1)
    print_protocol(
        f"processor time of scoring {len(recordings)} files, with the measures of the voice over without, {options.turns} turns",
        order="with and without in turns, every second turn the other way round",
    )
    score_all(recordings, scorer)
    ratios = []
    for turn in range(options.turns):
        seconds: dict[bool, float] = {}
        for is_with in (True, False) if turn % 2 else (False, True):
            if is_with:
                seconds[is_with] = score_all(recordings, scorer)
            else:
                with without_measures():
                    seconds[is_with] = score_all(recordings, scorer)
        ratios.append(seconds[True] / seconds[False])
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    print(f"ratio     {middle:.3f} (quartiles {low:.3f} to {high:.3f}, mean {statistics.fmean(ratios):.3f})")
    return 1 if middle > 1 + SHARE_ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
