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

from training.bundle.graph import OPSET, export_onnx, make_waveform
from training.bundle.int8 import quantise_graph
from training.bundle.join import POOLED, SPEECH, join_gate
from training.bundle.parity import Gate, Parity, check_parity, measure_parity
from training.bundle.publish import MIN_SPEECH_MS
from training.bundle.run_card import fill_run_card
from training.bundle.speech_gate import GateRecipe, JudgedGate, fit_gate
from training.data.windows import WindowSet
from training.fitting.recipe import Recipe
from training.nets.backbones.base import Backbone
from training.nets.speech_encoder import fold_parametrisations
from worker.audio.vad import VadConfig
from worker.audio.windows import WindowConfig
from worker.scoring.bundle import CARD_FILE, MANIFEST_FILE, MODEL_FILE, load_bundle
from worker.scoring.scorer import Scorer

N_CALIBRATION = 64
FLOAT_FILE, SMALL_FILE, JOINED_FILE = "float32.onnx", "int8.onnx", "joined.onnx"
WITHOUT_GATE = "none was asked for"
SOUNDS = {"name": "synthesised non-speech sounds", "use": "training of the speech gate", "licence": "Apache-2.0"}


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


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        parity: how far the bundle is from the net.
        gate: what its speech gate does; None where none was asked for.
    """

    parity: Parity
    gate: JudgedGate | None


class Calibrated(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Waveform to probabilities at a temperature and to the pooled vector they came from, inside the graph."""

    def __init__(self, net: Any, temperature: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = temperature

    def forward(self, waveform: Any) -> Any:
        """Return float32 (batch, n_labels) and (batch, n_pooled) of waveform float32 (batch, n_samples)."""
        pooled = self.net.pool(waveform)
        return (self.net.classify(pooled) / self.temperature).softmax(dim=1), pooled


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
    speech: GateRecipe | None = None,
) -> Exported:
    """Write a bundle, or nothing.

    Args:
        net: trained, of the backbone; it is not changed.
        backbone: that built it.
        target: the bundle's folder, which must not be there yet.
        identity: what the manifest says of it.
        recipe: whose front end serving shall use.
        train: windows that int8's ranges are measured on and the speech gate is fitted on.
        check: held-out windows for the parity gate and the speech gate.
        gate: what int8 may cost; the default gate where None.
        speech: how a speech gate is fitted; None for a bundle without one.

    Returns:
        How far the bundle is from the net, and what its speech gate does.

    Raises:
        FileExistsError: the folder is there.
        ParityError: the graph differs too much from the net.
        BundleError, ScoringError: serving would refuse the bundle.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already; a version is never written twice, choose another")
    calibrated = Calibrated(fold_parametrisations(copy.deepcopy(net).cpu()), identity.temperature).eval()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        outputs = ("probabilities", POOLED)
        exact = export_onnx(
            calibrated, folder / FLOAT_FILE, inputs="waveform", example=make_waveform(), outputs=outputs
        )
        scheme, calibration = backbone.facts.int8, take_calibration(train)
        small = quantise_graph(exact, folder / SMALL_FILE, scheme=scheme, calibration=calibration)
        head, judged = (None, None) if speech is None else fit_gate(small, train, check, speech)
        is_shipped = judged is not None and judged.refused is None
        joined = join_gate(small, head if is_shipped else None, folder / JOINED_FILE)
        parity = measure_parity(calibrated, exact, joined, check)
        check_parity(parity, gate or Gate())
        model_bytes = joined.read_bytes()
    exported = Exported(parity, judged)
    manifest = build_manifest(
        backbone, identity, recipe, labels=train.labels, exported=exported, model_bytes=model_bytes
    )
    _write(target, manifest, model_bytes, fill_run_card(manifest, backbone.facts))
    return exported


def build_manifest(
    backbone: Backbone,
    identity: Identity,
    recipe: Recipe,
    *,
    labels: tuple[str, ...],
    exported: Exported,
    model_bytes: bytes,
) -> dict[str, Any]:
    """Return every key that serving reads."""
    gate = exported.gate
    shipped = gate if gate is not None and gate.refused is None else None
    training = {"backbone": backbone.facts.name, "recipe": recipe.as_dict(), **identity.training}
    if shipped is not None:
        training["corpora"] = [*training["corpora"], {**SOUNDS, "n_utterances": shipped.n_sounds}]
    measured = {"left_out": WITHOUT_GATE} if gate is None else gate.as_dict()
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
        "speech_gate": None if shipped is None else {"output": SPEECH, "threshold": shipped.threshold},
        "quantisation": {"kind": "int8", "scheme": backbone.facts.int8.text},
        "batch": 1,
        "opset": OPSET,
        "training": training,
        "metrics": {**identity.metrics, "gate": measured, "parity": exported.parity.as_dict()},
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
