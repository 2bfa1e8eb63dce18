"""Compute and cache pooled encoder statistics, one file a training copy; it trains nothing."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from training.backbones.whisper_base import FACTS
from training.corpora import HeardCorpus, HeardUtterance, load_crema_d, load_emodb
from training.export.graph import export_onnx, make_waveform
from training.export.int8 import quantise_graph
from training.sounds.augment import Chain
from training.sounds.voice import Cut
from training.whisper3.calibration import take_calibration
from training.whisper3.copies import (
    CLEAN,
    NOTE_COPIES,
    UTTERANCE_COPIES,
    Copy,
    Window,
    make_copy,
    make_crowd,
    make_nonspeech,
    make_notes,
)
from training.whisper3.encoder import load_encoder

log = logging.getLogger(__name__)
NONSPEECH_SEED = 31
CROWD_SEED = 41
N_CROWD = 200
FLOAT_VIEW = "clean-float32"
HALF_CLEAN = replace(CLEAN, share=0.5)  # The float32 encoder hears half of the clean copy, for comparison.
SAMPLE_SHARE = 0.1  # About 490 utterances, of all speakers and labels.
EVALUATION_COPIES = (
    Copy("snr5", 51, Cut.VAD, Chain(noise=1.0, snr_db=(5.0, 5.0)), share=SAMPLE_SHARE),
    Copy("snr10", 52, Cut.VAD, Chain(noise=1.0, snr_db=(10.0, 10.0)), share=SAMPLE_SHARE),
    Copy("telephone", 53, Cut.VAD, Chain(telephone=1.0), share=SAMPLE_SHARE),
    Copy("opus16", 54, Cut.VAD, Chain(opus=1.0, opus_bps=(16_000,)), share=SAMPLE_SHARE),
)


@dataclass(frozen=True)
class Features:
    """Pooled statistics of the windows of one copy.

    Attributes:
        statistics: float32 (n_windows, 1024).
        speakers, kinds, names: str (n_windows,).
        n_samples: int64 (n_windows,), natural length of each window.
    """

    statistics: NDArray[np.float32]
    speakers: NDArray[np.str_]
    kinds: NDArray[np.str_]
    names: NDArray[np.str_]
    n_samples: NDArray[np.int64]


def load_features(folder: Path, name: str) -> Features:
    """Read one cached copy.

    Raises:
        FileNotFoundError: it was not computed yet.
    """
    with np.load(folder / f"{name}.npz") as held:
        return Features(*(held[key] for key in ("statistics", "speakers", "kinds", "names", "n_samples")))


def open_session(model: Path, *, threads: int) -> ort.InferenceSession:
    """Open a graph on the CPU with a fixed number of threads, one operator after another."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def compute_features(windows: Iterable[Window], session: ort.InferenceSession) -> Features:
    """Run every window through the encoder at its natural length."""
    statistics: list[NDArray[np.float32]] = []
    rows: list[tuple[str, str, str, int]] = []
    for window in windows:
        statistics.append(session.run(None, {"waveform": window.signal[None]})[0][0])
        rows.append((window.speaker, window.kind, window.name, window.signal.size))
    speakers, kinds, names, sizes = zip(*rows, strict=True)
    return Features(np.stack(statistics), np.array(speakers), np.array(kinds), np.array(names), np.array(sizes))


def list_makers(crema_d: HeardCorpus, emodb: HeardCorpus) -> Iterator[tuple[str, Callable[[], Iterator[Window]]]]:
    """Yield (name, maker) of every copy there is."""
    used = crema_d.utterances
    for copy in UTTERANCE_COPIES:
        yield copy.name, partial(make_copy, used, copy)
    for copy in NOTE_COPIES:
        yield copy.name, partial(make_notes, used, copy)
    yield "nonspeech", partial(make_nonspeech, NONSPEECH_SEED)
    yield "emodb-clean", partial(make_copy, emodb.utterances, CLEAN)
    for copy in EVALUATION_COPIES:
        yield copy.name, partial(make_copy, used, copy)
    yield "crowd", partial(make_crowd, used, CROWD_SEED, n_windows=N_CROWD)
    yield FLOAT_VIEW, partial(make_copy, used, HALF_CLEAN)


def build_encoder(weights: Path, utterances: tuple[HeardUtterance, ...], folder: Path) -> dict[str, Path]:
    """Export the encoder in float32 and in static int8, unless both are there already.

    The heads are trained on what the int8 encoder says, so its rounding is nothing new to them.
    """
    paths = {"float32": folder / "encoder-float32.onnx", "int8": folder / "encoder-int8.onnx"}
    if not all(path.exists() for path in paths.values()):
        export_onnx(
            load_encoder(weights), paths["float32"], inputs="waveform", example=make_waveform(), outputs=("statistics",)
        )
        quantise_graph(paths["float32"], paths["int8"], scheme=FACTS.int8, calibration=take_calibration(utterances))
    return paths


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crema-d", type=Path, required=True, help="folder of CREMA-D audio")
    parser.add_argument("--emodb", type=Path, required=True, help="folder of EmoDB audio")
    parser.add_argument("--encoder", type=Path, required=True, help="Whisper base encoder, safetensors")
    parser.add_argument("--out", type=Path, required=True, help="folder for the .npz files")
    parser.add_argument("--only", nargs="*", default=[], help="names of copies; all by default")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Compute every copy that is not cached yet."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    crema_d, emodb = load_crema_d(arguments.crema_d), load_emodb(arguments.emodb)
    for defect in (*crema_d.defects, *emodb.defects):
        log.info("left out %s: %s", defect.name, defect.reason)
    paths = build_encoder(arguments.encoder, crema_d.utterances, arguments.out)
    sessions = {name: open_session(path, threads=arguments.threads) for name, path in paths.items()}
    for name, make in list_makers(crema_d, emodb):
        target = arguments.out / f"{name}.npz"
        if target.exists() or (arguments.only and name not in arguments.only):
            continue
        began = time.perf_counter()
        features = compute_features(make(), sessions["float32" if name == FLOAT_VIEW else "int8"])
        np.savez(target, **vars(features))
        log.info("%s: %d windows in %.0f s", name, len(features.names), time.perf_counter() - began)


if __name__ == "__main__":
    main()
