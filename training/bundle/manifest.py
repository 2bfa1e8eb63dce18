"""The manifest of a bundle, and the bundle's folder: written beside its place, loaded as serving does, and only then moved there."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.bundle.graph import OPSET
from training.bundle.heads import SPEECH
from training.data.windows import SAMPLING_RATE_HZ
from training.fitting.recipe import Calibration
from training.measures.dimensions import name_outputs
from worker.audio.frontend import FrontEnd
from worker.audio.vad import VadConfig
from worker.audio.windows import WindowConfig
from worker.scoring.bundle import CARD_FILE, MANIFEST_FILE, MODEL_FILE, load_bundle
from worker.scoring.scorer import Scorer

# A third of a second of speech: pre-roll and hangover make 690 ms of it, and 540 ms of a mere click. With a gate, which knows a
# click from a word, words of a fifth of a second are judged too.
MIN_SPEECH_MS, MIN_GATED_SPEECH_MS = 700, 400


@dataclass(frozen=True)
class Identity:
    """What a bundle is.

    Attributes:
        name, version: of the model; rows in SQL point to them.
        labels: in the order of the probabilities.
        licence: of the trained weights, what the corpora ask for included.
        front_end: of each window.
        calibration: temperature inside the graph, and when a score is uncertain.
        speech_threshold: a window under it is no speech; None without a gate.
        scheme: of the quantisation, one line.
        baseline: reference and rule of own baselines, as `trends.write_baseline` gives them; None where no reference was measured.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    licence: str
    front_end: FrontEnd
    calibration: Calibration
    speech_threshold: float | None
    scheme: str
    baseline: Mapping[str, Any] | None = None


def build_manifest(
    identity: Identity, model: bytes, *, training: Mapping[str, Any], metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Return every key that serving reads.

    Args:
        identity: what the bundle is.
        model: bytes of the graph, whose outputs are `probabilities`, those of `name_outputs()`, and `speech` with a gate.
        training: corpora with licences, recipe, seed, revision, for the record.
        metrics: what was measured, for the record.
    """
    threshold = identity.speech_threshold
    return {
        "format": 1,
        "name": identity.name,
        "version": identity.version,
        "labels": list(identity.labels),
        "sampling_rate_hz": SAMPLING_RATE_HZ,
        "front_end": asdict(identity.front_end),
        "vad": asdict(VadConfig()),
        "min_speech_ms": MIN_SPEECH_MS if threshold is None else MIN_GATED_SPEECH_MS,
        "window": asdict(WindowConfig()),
        "padding": "zeros_masked",
        "pooling": {"kind": "mean", "weight": "new_speech_ms"},
        "temperature": identity.calibration.temperature,
        "uncertain_below": identity.calibration.uncertain_below,
        "speech_gate": None if threshold is None else {"output": SPEECH, "threshold": threshold},
        "dimensions": name_outputs(),
        **({} if identity.baseline is None else {"baseline": dict(identity.baseline)}),
        "quantisation": {"kind": "int8", "scheme": identity.scheme},
        "batch": 1,
        "opset": OPSET,
        "training": dict(training),
        "metrics": dict(metrics),
        "licence": identity.licence,
        "sha256": hashlib.sha256(model).hexdigest(),
    }


def split_name(target: Path, version: str) -> str:
    """Return the model's name of a bundle's folder `<name>-<version>`.

    Raises:
        ValueError: the folder's name does not end in the version.
        FileExistsError: the folder is there.
    """
    name = target.name.removesuffix(f"-{version}")
    if name == target.name:
        raise ValueError(f"the bundle's folder is {target.name}, allowed is a name that ends in -{version}")
    refuse_existing(target)
    return name


def refuse_existing(target: Path) -> None:
    """Refuse to write a version twice.

    Raises:
        FileExistsError: the folder is there.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already; a version is never written twice, choose another")


def write_bundle(
    target: Path, manifest: Mapping[str, Any], model: bytes, card: str, further: Mapping[str, bytes] | None = None
) -> None:
    """Write a bundle beside its place, see that serving takes it, and only then move it there.

    Args:
        target: the bundle's folder.
        manifest: as `build_manifest` returns it.
        model: bytes of the graph.
        card: text of the model card.
        further: files by name, such as texts of licences.

    Raises:
        FileExistsError: the folder is there.
        BundleError, ScoringError: serving would refuse the bundle.
    """
    refuse_existing(target)
    files = {
        MANIFEST_FILE: f"{json.dumps(manifest, indent=1)}\n".encode(),
        MODEL_FILE: model,
        CARD_FILE: card.encode(),
        **(further or {}),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as beside:
        folder = Path(beside) / target.name
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        Scorer(load_bundle(folder))
        folder.rename(target)
