"""From a trained net to a bundle that serving loads: ONNX, int8, parity gate, manifest and card; it trains nothing."""

from __future__ import annotations

import copy
import hashlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from training.backbones.base import Backbone
from training.backbones.shared.speech_encoder import fold_parametrisations
from training.export.graph import OPSET, export_onnx, make_waveform
from training.export.int8 import quantise_graph
from training.export.parity import Gate, Parity, check_parity, measure_parity
from training.run_card import fill_run_card
from training.runs.recipe import Recipe
from training.runs.windows import WindowSet
from training.whisper3.publish import MIN_SPEECH_MS
from worker.audio.vad import VadConfig
from worker.audio.windows import WindowConfig
from worker.scoring.bundle import CARD_FILE, MANIFEST_FILE, MODEL_FILE, load_bundle
from worker.scoring.scorer import Scorer

N_CALIBRATION = 64
FLOAT_FILE, SMALL_FILE = "float32.onnx", "int8.onnx"


@dataclass(frozen=True)
class Identity:
    """What the bundle says of itself.

    Attributes:
        name, version: of the model; rows in SQL point to them.
        licence: of the trained weights, what the corpora ask for included.
        temperature: that logits are divided by, over 0.
        uncertain_below: a confidence under this is uncertain, 0 to 1.
        training: corpora with licences, seed, revision, for the record.
        metrics: measured on held-out windows, for the record.
    """

    name: str
    version: str
    licence: str
    temperature: float
    uncertain_below: float
    training: dict[str, Any]
    metrics: dict[str, Any]


class Calibrated(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Logits to probabilities at a temperature, inside the graph."""

    def __init__(self, net: Any, temperature: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature

    def forward(self, waveform: Any) -> Any:
        """Return probabilities float32 (batch, n_labels) of waveform float32 (batch, n_samples)."""
        return (self.net(waveform) / self.temperature).softmax(dim=1)


def take_calibration(windows: WindowSet, n_windows: int = N_CALIBRATION) -> list[Any]:
    """Return training windows spread evenly over the set, to measure int8's ranges on."""
    chosen = np.unique(np.linspace(0, len(windows) - 1, min(n_windows, len(windows))).astype(int))
    return [windows.take_window(int(index)) for index in chosen]


def export_bundle(
    net: Any,
    backbone: Backbone,
    target: Path,
    *,
    identity: Identity,
    recipe: Recipe,
    train: WindowSet,
    check: WindowSet,
    gate: Gate | None = None,
) -> Parity:
    """Write a bundle, or nothing.

    Args:
        net: trained, waveform to logits; it is not changed.
        backbone: that built it.
        target: the bundle's folder, which must not be there yet.
        identity: what the manifest says of it.
        recipe: whose front end serving shall use.
        train: windows that int8's ranges are measured on.
        check: held-out windows for the parity gate.
        gate: what int8 may cost; the default gate where None.

    Returns:
        How far the bundle is from the net.

    Raises:
        FileExistsError: the folder is there.
        ParityError: the graph differs too much from the net.
        BundleError, ScoringError: serving would refuse the bundle.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already; a version is never written twice, choose another")
    calibrated = Calibrated(fold_parametrisations(copy.deepcopy(net).cpu()), identity.temperature).eval()
    with tempfile.TemporaryDirectory() as scratch:
        exact = export_onnx(
            calibrated,
            Path(scratch) / FLOAT_FILE,
            inputs="waveform",
            example=make_waveform(),
            outputs=("probabilities",),
        )
        small = quantise_graph(
            exact, Path(scratch) / SMALL_FILE, scheme=backbone.facts.int8, calibration=take_calibration(train)
        )
        parity = measure_parity(calibrated, exact, small, check)
        check_parity(parity, gate or Gate())
        model_bytes = small.read_bytes()
    manifest = build_manifest(backbone, identity, recipe, labels=train.labels, parity=parity, model_bytes=model_bytes)
    _write(target, manifest, model_bytes, fill_run_card(manifest, backbone.facts))
    return parity


def build_manifest(
    backbone: Backbone,
    identity: Identity,
    recipe: Recipe,
    *,
    labels: tuple[str, ...],
    parity: Parity,
    model_bytes: bytes,
) -> dict[str, Any]:
    """Return every key that serving reads."""
    return {
        "format": 1,
        "name": identity.name,
        "version": identity.version,
        "labels": list(labels),
        "sampling_rate_hz": 16_000,
        "front_end": asdict(recipe.front_end),
        "vad": asdict(VadConfig()),
        "min_speech_ms": MIN_SPEECH_MS,
        "window": asdict(WindowConfig()),
        "padding": "zeros_masked",
        "pooling": {"kind": "mean", "weight": "new_speech_ms"},
        "temperature": identity.temperature,
        "uncertain_below": identity.uncertain_below,
        "speech_gate": None,
        "quantisation": {"kind": "int8", "scheme": backbone.facts.int8.text},
        "batch": 1,
        "opset": OPSET,
        "training": {"backbone": backbone.facts.name, "recipe": recipe.as_dict(), **identity.training},
        "metrics": {**identity.metrics, "parity": parity.as_dict()},
        "licence": identity.licence,
        "sha256": hashlib.sha256(model_bytes).hexdigest(),
    }


def _write(target: Path, manifest: dict[str, Any], model_bytes: bytes, card: str) -> None:
    """Write the bundle beside its place, see that serving takes it, and only then move it there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as beside:
        folder = Path(beside) / target.name
        folder.mkdir()
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        (folder / MODEL_FILE).write_bytes(model_bytes)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
        Scorer(load_bundle(folder))
        folder.rename(target)
