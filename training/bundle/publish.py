"""Write the bundle of a run, or nothing where a figure is beyond its limit; it trains nothing and measures nothing."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.bundle.card import WHISPER_LICENCE, fill_card
from training.bundle.graph import OPSET
from training.bundle.model_graph import FACTS_FILE, INT8_FILE
from training.bundle.sources import list_sources
from training.corpora import LABELS
from training.data.copies import CLEAN, FRONT_END
from training.fitting.model_plan import ModelPlan, Places
from training.fitting.model_recipe import Calibration, Limits
from training.measures.dimensions import name_outputs
from training.nets.backbones.whisper_base import FACTS
from training.sounds.nonspeech import SAMPLING_RATE_HZ
from worker.audio.vad import VadConfig
from worker.audio.windows import WindowConfig
from worker.scoring.bundle import CARD_FILE, MANIFEST_FILE, MODEL_FILE, load_bundle
from worker.scoring.scorer import Scorer

# A third of a second of speech: pre-roll and hangover make 690 ms of it, and 540 ms of a mere click.
MIN_SPEECH_MS = 700
FIGURES_FILE = "figures.json"
LICENCE_FILE = "LICENSE.whisper"
LICENCE = "Apache-2.0 (heads and layers tuned on CREMA-D, ODbL-1.0, notice in MODEL_CARD.md) and MIT (Whisper encoder)"


class LimitExceeded(Exception):
    """A model that must not ship; the message names the figure and its limit."""


def read_figures(places: Places) -> dict[str, Any] | None:
    """Return what `tonalog evaluate default` measured of a run, or None where it has not."""
    source = places.evaluation / FIGURES_FILE
    if not source.is_file():
        return None
    figures: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return figures


def check_limits(figures: dict[str, Any], limits: Limits) -> None:
    """Refuse a model that costs too much.

    Args:
        figures: of the finished graph and, where the run was evaluated, of unheard speakers and sounds.
        limits: of the recipe.

    Raises:
        LimitExceeded: a figure is beyond its limit.
    """
    found = [("the gate accepts white noise in", figures["final"]["false_accept"]["white"], limits.max_white)]
    if "int8" in figures:
        found += [
            ("int8 moves UA on unheard speakers by", abs(figures["int8"]["ua_change"]), limits.max_ua_change),
            ("the gate misses clean speech in", figures["gate"]["miss"][CLEAN.name], limits.max_clean_miss),
        ]
    for what, value, limit in found:
        if value > limit:
            raise LimitExceeded(f"{what} {value}, allowed is {limit}; no bundle was written")


def build_manifest(
    plan: ModelPlan, figures: dict[str, Any], model: bytes, *, calibration: Calibration, revision: str
) -> dict[str, Any]:
    """Return every key that serving reads, of the plan's name and version."""
    return {
        "format": 1,
        "name": plan.name,
        "version": plan.version,
        "labels": list(LABELS),
        "sampling_rate_hz": SAMPLING_RATE_HZ,
        "front_end": asdict(FRONT_END),
        "vad": asdict(VadConfig()),
        "min_speech_ms": MIN_SPEECH_MS,
        "window": asdict(WindowConfig()),
        "padding": "zeros_masked",
        "pooling": {"kind": "mean", "weight": "new_speech_ms"},
        "temperature": calibration.temperature,
        "uncertain_below": calibration.uncertain_below,
        "speech_gate": {"output": "speech", "threshold": plan.recipe.speech_threshold},
        "dimensions": name_outputs(),
        "quantisation": {"kind": "int8", "scheme": FACTS.int8.text},
        "batch": 1,
        "opset": OPSET,
        "training": {
            "corpora": list_sources(),
            "git": plan.revision,
            "seed": plan.seed,
            "recipe": plan.recipe.as_dict(),
            "encoder_sha256": plan.encoder_sha256,
        },
        "metrics": {"revision": revision, **figures},
        "licence": LICENCE,
        "sha256": hashlib.sha256(model).hexdigest(),
    }


def publish(plan: ModelPlan, places: Places, target: Path, *, revision: str) -> None:
    """Write the bundle of a run: as it was evaluated, or at the recipe's calibration where it was not.

    Args:
        plan: of the run, with the bundle's name and version.
        places: of the run, trained to its end.
        target: the bundle's folder, which must not be there yet.
        revision: of the code that measured and wrote it.

    Raises:
        FileExistsError: the folder is there.
        FileNotFoundError: the run was not trained to its end.
        LimitExceeded: a figure is beyond its limit.
        BundleError, ScoringError: serving would refuse the bundle.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already; a version is never written twice, choose another")
    measured = read_figures(places)
    folder = places.graph if measured is None else places.evaluation
    if not (folder / FACTS_FILE).is_file():
        raise FileNotFoundError(f"{folder} holds no graph; `tonalog train --resume --out {places.root}` makes it")
    figures = measured or json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))["figures"]
    check_limits(figures, plan.recipe.limits)
    found = measured and measured["evaluation"]["calibration"]
    calibration = Calibration(found["temperature"], found["uncertain_below"]) if found else plan.recipe.calibration
    model = (folder / INT8_FILE).read_bytes()
    manifest = build_manifest(plan, figures, model, calibration=calibration, revision=revision)
    _write(target, manifest, model)


def _write(target: Path, manifest: dict[str, Any], model: bytes) -> None:
    """Write the bundle beside its place, see that serving takes it, and only then move it there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as beside:
        folder = Path(beside) / target.name
        folder.mkdir()
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        (folder / MODEL_FILE).write_bytes(model)
        (folder / CARD_FILE).write_text(fill_card(manifest), encoding="utf-8")
        (folder / LICENCE_FILE).write_bytes(WHISPER_LICENCE.read_bytes())
        Scorer(load_bundle(folder))
        folder.rename(target)
