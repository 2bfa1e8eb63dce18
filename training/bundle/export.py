"""From one fold of a finished run of any backbone to a bundle: ONNX, int8, speech gate, parity, manifest and card."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from training.bundle.card import fill_card
from training.bundle.credits import SOUNDS, credit_corpus, describe_use
from training.bundle.gate import GateRecipe, JudgedGate, fit_gate
from training.bundle.graph import append_part, export_onnx
from training.bundle.heads import POOLED, Readings
from training.bundle.int8 import quantise_graph
from training.bundle.manifest import Identity, build_manifest, refuse_existing, split_name, write_bundle
from training.bundle.parity import Gate, Parity, check_parity, measure_parity
from training.corpora import LABELS, Corpus, find_layout, read_signal
from training.data.files import read_json
from training.data.windows import WindowSet, WindowStore
from training.fitting.plan import Plan
from training.fitting.predict import predict
from training.fitting.recipe import Calibration
from training.fitting.run import load_net
from training.measures import metrics
from training.measures.writing import JSON_NAME
from training.nets.backbones import Backbone
from training.nets.speech_encoder import fold_parametrisations
from training.protocols import Split

MAX_ERROR = 0.10  # Certain windows may be wrong this often on the held-out ones.
UNCERTAIN_BELOW = 0.5  # Where held-out errors never get rare enough to choose a threshold by.
N_CALIBRATION = 64
WITHOUT_GATE = "none was asked for"


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


def export_bundle(
    net: Any,
    backbone: Backbone,
    target: Path,
    *,
    identity: Identity,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
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
        identity: what the bundle is; its gate's threshold comes from the gate that is fitted.
        training: corpora with licences, recipe, seed, revision, for the record.
        metrics: measured on held-out windows, for the record.
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
    refuse_existing(target)
    calibrated = Calibrated(fold_parametrisations(copy.deepcopy(net).cpu()), identity.calibration.temperature).eval()
    with tempfile.TemporaryDirectory() as scratch:
        exact, small, joined = (Path(scratch) / f"{name}.onnx" for name in ("float32", "int8", "joined"))
        export_onnx(calibrated, exact, outputs=("probabilities", POOLED))
        calibration = [train.take_window(row) for row in train.spread_rows(N_CALIBRATION)]
        quantise_graph(exact, small, scheme=backbone.facts.int8, calibration=calibration)
        head, judged = (None, None) if speech is None else fit_gate(small, train, check, speech)
        is_gated = judged is not None and judged.refused is None
        _append_readings(small, Readings(train.labels, head if is_gated else None), joined)
        parity = measure_parity(calibrated, exact, joined, check)
        check_parity(parity, gate or Gate())
        model = joined.read_bytes()
    corpora = list(training["corpora"])
    if judged is not None and is_gated:
        identity = replace(identity, speech_threshold=judged.threshold)
        corpora.append({**SOUNDS, "n_utterances": judged.n_sounds})
    measured = {"left_out": WITHOUT_GATE} if judged is None else judged.as_dict()
    manifest = build_manifest(
        identity,
        model,
        training={"backbone": backbone.facts.name, **training, "corpora": corpora},
        metrics={**metrics, "gate": measured, "parity": parity.as_dict()},
    )
    write_bundle(target, manifest, model, fill_card(manifest, backbone.facts))
    return Exported(parity, judged)


def _append_readings(graph: Path, readings: Readings, target: Path) -> None:
    """Write a graph with arousal, valence and, where there is a gate, speech in place of the pooled vector."""
    examples = {"probabilities": torch.full((2, readings.weights.shape[1]), 0.25)}
    if readings.speech is not None:
        examples[POOLED] = torch.zeros(2, readings.speech[0].mean.shape[0])
    append_part(
        graph,
        readings,
        target,
        prefix="readings",
        inputs=examples,
        outputs=readings.outputs,
        keep=("probabilities",),
        drop=() if readings.speech is not None else (POOLED,),
    )


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
    name, split = split_name(target, version), splits[fold]
    backbone, net = load_net(plan, out, fold)
    store = WindowStore(plan.recipe, read_signal)
    train = WindowSet(split.train, LABELS, store)
    check = WindowSet(split.validate or split.test, LABELS, store)
    training = {
        "recipe": plan.recipe.as_dict(),
        "corpora": _credit_corpora(plan, corpora, split),
        "protocol": plan.protocol,
        "fold": split.name,
        "pretrained": plan.pretrained,
        "seed": plan.seed,
        "git": revision,
    }
    identity = Identity(
        name,
        version,
        LABELS,
        _join_licences(plan, backbone),
        plan.recipe.front_end,
        calibrate(net, check),
        speech_threshold=None,
        scheme=backbone.facts.int8.text,
    )
    parts = {"training": training, "metrics": _read_measures(out)}
    return export_bundle(
        net, backbone, target, identity=identity, train=train, check=check, gate=gate, speech=speech, **parts
    )


def calibrate(net: Any, check: WindowSet) -> Calibration:
    """Return temperature and threshold of a net on held-out windows."""
    logits = np.log(np.maximum(predict(net, check), np.finfo(np.float64).tiny))
    temperature = metrics.fit_temperature(logits, check.target)
    curve = metrics.trace_risk_coverage(metrics.apply_softmax(logits, temperature), check.target, metrics.THRESHOLDS)
    try:
        uncertain_below = metrics.choose_threshold(curve, max_error=MAX_ERROR)
    except ValueError:
        uncertain_below = UNCERTAIN_BELOW
    return Calibration(round(temperature, 4), uncertain_below)


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
    report = read_json(out / JSON_NAME)
    means = {item["name"]: round(item["mean"], 4) for item in report["measures"]}
    return {**means, "protocol": report["protocol"], "is_speaker_independent": report["is_speaker_independent"]}
