"""From one fold of a finished run to a bundle: temperature and threshold from its held-out windows; it trains nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.bundle.credits import credit_corpus, describe_use
from training.bundle.parity import Gate
from training.bundle.run_bundle import Exported, Identity, export_bundle
from training.bundle.speech_gate import GateRecipe
from training.corpora import LABELS, Corpus, find_layout, read_signal
from training.data.windows import WindowSet, WindowStore
from training.fitting.plan import Plan
from training.fitting.predict import predict
from training.fitting.run import load_net
from training.measures import metrics
from training.measures.out_of_fold import MAX_ERROR, THRESHOLDS
from training.measures.writing import JSON_NAME
from training.nets.backbones import Backbone
from training.protocols import Split

UNCERTAIN_BELOW = 0.5  # Where held-out errors never get rare enough to choose a threshold by.


def export_run(
    plan: Plan,
    corpora: Sequence[Corpus],
    out: Path,
    target: Path,
    *,
    fold: int,
    version: str,
    gate: Gate | None = None,
    speech: GateRecipe | None = None,
    revision: str = "unknown",
) -> Exported:
    """Write the bundle of one fold's net, or nothing.

    Temperature, threshold and the parity gate rest on the windows that the fold was stopped early on, or tested on
    where nothing validates.

    Args:
        plan: of the run.
        corpora: those of the plan, loaded, in its order.
        out: folder of the run.
        target: the bundle's folder, `<name>-<version>`, which must not be there yet.
        fold: whose net.
        version: of the model.
        gate: what int8 may cost; the default gate where None.
        speech: how a speech gate is fitted; None for a bundle without one.
        revision: of this code, for the record.

    Raises:
        ValueError: there is no such fold, or the folder's name does not end in the version.
        FileNotFoundError: the fold was not trained to its end.
        FileExistsError, ParityError, BundleError, ScoringError: as `export_bundle`.
    """
    splits = plan.divide(corpora).splits
    if not 0 <= fold < len(splits):
        raise ValueError(f"fold {fold} is not there, allowed are 0 to {len(splits) - 1}")
    name = target.name.removesuffix(f"-{version}")
    if name == target.name:
        raise ValueError(f"the bundle's folder is {target.name}, allowed is a name that ends in -{version}")
    split = splits[fold]
    backbone, net = load_net(plan, out, fold)
    store = WindowStore(plan.recipe, read_signal)
    train = WindowSet(split.train, LABELS, store)
    check = WindowSet(split.validate or split.test, LABELS, store)
    scores = predict(net, check)
    logits = np.log(np.maximum(scores, np.finfo(np.float64).tiny))
    temperature = metrics.fit_temperature(logits, check.target)
    identity = Identity(
        name=name,
        version=version,
        licence=_join_licences(plan, backbone),
        temperature=round(temperature, 4),
        uncertain_below=_choose_threshold(metrics.apply_softmax(logits, temperature), check),
        training={
            "corpora": _credit_corpora(plan, corpora, split),
            "protocol": plan.protocol,
            "fold": split.name,
            "pretrained": plan.pretrained,
            "seed": plan.seed,
            "git": revision,
        },
        metrics=_read_measures(out),
    )
    return export_bundle(
        net, backbone, target, identity=identity, recipe=plan.recipe, train=train, check=check, gate=gate, speech=speech
    )


def _choose_threshold(probabilities: Any, check: WindowSet) -> float:
    curve = metrics.trace_risk_coverage(probabilities, check.target, THRESHOLDS)
    try:
        return metrics.choose_threshold(curve, max_error=MAX_ERROR)
    except ValueError:
        return UNCERTAIN_BELOW


def _join_licences(plan: Plan, backbone: Backbone) -> str:
    corpora = sorted({f"{find_layout(name).title}: {find_layout(name).licence}" for name, _ in plan.corpora})
    return f"weights of {backbone.facts.name}: {backbone.facts.licence}; trained on {', '.join(corpora)}"


def _credit_corpora(plan: Plan, corpora: Sequence[Corpus], split: Split) -> list[dict[str, Any]]:
    return [
        credit_corpus(find_layout(name), corpus, use=describe_use(split, corpus))
        for (name, _), corpus in zip(plan.corpora, corpora, strict=True)
    ]


def _read_measures(out: Path) -> dict[str, Any]:
    """Return what the run's report printed, the mean over folds of each measure."""
    report = json.loads((out / JSON_NAME).read_text(encoding="utf-8"))
    means = {one["name"]: round(one["mean"], 4) for one in report["measures"]}
    return {**means, "protocol": report["protocol"], "is_speaker_independent": report["is_speaker_independent"]}
