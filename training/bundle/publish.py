"""Write the bundle of a recipe with stages, or nothing where a figure is beyond its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training.bundle.card import WHISPER_LICENCE, fill_card
from training.bundle.credits import list_sources
from training.bundle.manifest import Identity, build_manifest, write_bundle
from training.corpora import LABELS, find_layout
from training.data.copies import CLEAN, FRONT_END
from training.data.files import read_json
from training.fitting.plan import Plan
from training.fitting.recipe import Limits
from training.nets.backbones.whisper_base import FACTS

FACTS_FILE, INT8_GRAPH = "graph.json", "model-int8.onnx"
LICENCE_FILE = "LICENSE.whisper"


def describe_licence(trained: Sequence[str]) -> str:
    """Return the licence of a model in one line: the first corpus asks for its name, and the card credits all of them."""
    first, n_others = find_layout(trained[0]), len(trained) - 1
    others = f" and {n_others} more" if n_others else ""
    return (
        f"Apache-2.0 (heads and layers tuned on {first.title}, {first.licence}{others}; notices in MODEL_CARD.md) "
        "and MIT (Whisper encoder)"
    )


class LimitExceeded(Exception):
    """A model that must not ship; the message names the figure and its limit."""


def check_limits(figures: Mapping[str, Any], limits: Limits) -> None:
    """Refuse a model that costs too much.

    Args:
        figures: of the finished graph and, where the run was evaluated, of speakers and sounds that were left out.
        limits: of the recipe.

    Raises:
        LimitExceeded: a figure is beyond its limit.
    """
    result = [("the gate accepts white noise in", figures["final"]["false_accept"]["white"], limits.max_white)]
    if "int8" in figures:
        result += [
            ("int8 moves UA on unheard speakers by", abs(figures["int8"]["ua_change"]), limits.max_ua_change),
            ("the gate misses clean speech in", figures["gate"]["miss"][CLEAN.name], limits.max_clean_miss),
        ]
    for what, value, limit in result:
        if value > limit:
            raise LimitExceeded(f"{what} {value}, allowed is {limit}; no bundle was written")


def publish(
    plan: Plan,
    graph: Path,
    target: Path,
    *,
    revision: str,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Write the bundle of a run.

    Args:
        plan: of the run, with the bundle's name and version.
        graph: folder of the finished graph.
        target: the bundle's folder, which must not be there yet.
        revision: of the code that measured and wrote it.
        figures: what `tonalog evaluate default` measured; None where it did not.

    Raises:
        FileExistsError: the folder is there.
        LimitExceeded: a figure is beyond its limit.
        BundleError, ScoringError: serving would refuse the bundle.
    """
    measured = dict(read_json(graph / FACTS_FILE) if figures is None else figures)
    measured.pop("baseline", None)  # A section of its own.
    check_limits(measured, plan.stages.limits)
    model = (graph / INT8_GRAPH).read_bytes()
    identity = Identity(
        plan.name,
        plan.version,
        LABELS,
        describe_licence(plan.trained),
        FRONT_END,
        plan.stages.calibration,
        plan.stages.speech_threshold,
        FACTS.int8.text,
        None if figures is None else figures["baseline"],
    )
    training = {
        "corpora": list_sources(plan.trained),
        "git": plan.revision,
        "seed": plan.seed,
        "recipe": plan.recipe.as_dict(),
        "encoder_sha256": plan.pretrained_sha256,
    }
    manifest = build_manifest(identity, model, training=training, metrics={"revision": revision, **measured})
    write_bundle(target, manifest, model, fill_card(manifest), {LICENCE_FILE: WHISPER_LICENCE.read_bytes()})
