"""The shipped encoder as graphs: float32 and static int8."""

from __future__ import annotations

from pathlib import Path

from training.bundle.graph import export_onnx, make_waveform
from training.bundle.int8 import quantise_graph
from training.bundle.shift import remove_shift
from training.bundle.smoothing import smooth_encoder
from training.corpora import HeardUtterance
from training.data.calibration import take_calibration
from training.nets.backbones.whisper_base import FACTS
from training.nets.whisper import load_encoder


def build_encoder(weights: Path, utterances: tuple[HeardUtterance, ...], folder: Path) -> dict[str, Path]:
    """Export the encoder in float32 and in static int8, unless both are there already.

    The speech head is trained on what the int8 encoder says, so its rounding is nothing new to it.
    """
    paths = {name: folder / f"encoder-{name}.onnx" for name in ("float32", "int8")}
    if not all(path.exists() for path in paths.values()):
        partial = {name: path.with_suffix(".partial.onnx") for name, path in paths.items()}
        calibration = take_calibration(utterances)
        encoder = smooth_encoder(load_encoder(weights), calibration)
        export_onnx(encoder, partial["float32"], inputs="waveform", example=make_waveform(), outputs=("statistics",))
        quantise_graph(partial["float32"], partial["int8"], scheme=FACTS.int8, calibration=calibration)
        remove_shift(partial["float32"], partial["int8"], calibration)
        for name, path in paths.items():
            partial[name].replace(path)
    return paths
