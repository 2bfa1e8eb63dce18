"""Carry out a plan: train every fold, score what it tests, write predictions and report; a finished fold is never trained again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.corpora import LABELS, Corpus, read_signal
from training.data.windows import WindowSet, WindowStore
from training.fitting.loop import Progress, fit
from training.fitting.plan import Plan, write_plan
from training.fitting.predict import predict
from training.measures import Summary, collect_predictions, write_predictions, write_report
from training.nets.backbones import Backbone, find_backbone
from training.nets.backbones.base import freeze
from training.protocols import Protocol, Split
from training.protocols.leaks import check_sounds, check_speakers
from training.protocols.roles import check_roles

CHECKPOINT_FILE, MODEL_FILE, SCORES_FILE = "checkpoint.pt", "model.pt", "scores.npy"
PREDICTIONS_FILE = "predictions.csv"


@dataclass(frozen=True)
class FoldProgress:
    """Where a run is: at which of the folds it does, how many these are, and where its training is."""

    fold: int
    n_folds: int
    name: str
    training: Progress


def name_fold(out: Path, fold: int) -> Path:
    """Return the folder of a fold."""
    return out / f"fold-{fold}"


def build_net(plan: Plan) -> tuple[Backbone, Any]:
    """Return the plan's backbone and a new net of it, frozen where it does not train; the same each time."""
    backbone = find_backbone(plan.backbone)
    torch.manual_seed(plan.seed)
    net = backbone.build(len(LABELS), pretrained=plan.pretrained)
    freeze(net, backbone.facts.frozen)
    return backbone, net


def load_net(plan: Plan, out: Path, fold: int) -> tuple[Backbone, Any]:
    """Return the plan's backbone and the trained net of one fold, in evaluation mode.

    Raises:
        FileNotFoundError: the fold was not trained to its end.
    """
    source = name_fold(out, fold) / MODEL_FILE
    if not source.is_file():
        raise FileNotFoundError(
            f"{source} is not there; `tonalog train --resume --out {out}` trains the fold to its end"
        )
    backbone, net = build_net(plan)
    net.load_state_dict(torch.load(source, map_location="cpu", weights_only=True))
    return backbone, net.eval()


def run_plan(
    plan: Plan,
    corpora: Sequence[Corpus],
    out: Path,
    *,
    folds: Sequence[int] | None = None,
    on_progress: Callable[[FoldProgress], None] = lambda _: None,
    device: str = "cpu",
) -> Summary:
    """Train and test every fold of a plan. Called again on the same folder, it goes on where it was interrupted.

    Args:
        plan: what to do.
        corpora: those of the plan, loaded, in its order.
        out: folder of the run: a folder a fold, predictions.csv, report.html, report.json.
        folds: only these, counted from 0, trained and reported; a later call may do the others.
        on_progress: called after every step.
        device: of torch.

    Returns:
        The measures over the folds.

    Raises:
        PlanMismatch, CheckpointMismatch: the folder holds another run.
        ValueError: the corpora do not fit the protocol, or it has no such fold.
        LeakError: somebody is on two sides.
    """
    whole = plan.divide(corpora)
    chosen = _choose(whole, folds)
    write_plan(plan, out)
    store = WindowStore(plan.recipe, read_signal)
    scores = []
    for turn, fold in enumerate(chosen):
        split = whole.splits[fold]

        def report(training: Progress, turn: int = turn, split: Split = split) -> None:
            on_progress(FoldProgress(turn, len(chosen), split.name, training))

        scores.append(_run_fold(plan, split, name_fold(out, fold), store, report=report, device=device))
    return write_run_report(plan, replace(whole, splits=tuple(whole.splits[fold] for fold in chosen)), scores, out)


def _choose(protocol: Protocol, folds: Sequence[int] | None) -> list[int]:
    there = range(len(protocol.splits))
    chosen = sorted(set(there if folds is None else folds))
    if not chosen or not set(chosen) <= set(there):
        raise ValueError(f"folds {chosen}, allowed are one or more of 0 to {len(there) - 1}")
    return chosen


def _run_fold(
    plan: Plan,
    split: Split,
    folder: Path,
    store: WindowStore,
    *,
    report: Callable[[Progress], None],
    device: str,
) -> NDArray[np.float64]:
    if (folder / SCORES_FILE).is_file():
        held: NDArray[np.float64] = np.load(folder / SCORES_FILE)
        return held
    _, net = build_net(plan)
    fit(
        net,
        WindowSet(split.train, LABELS, store),
        WindowSet(split.validate, LABELS, store) if split.validate else None,
        recipe=plan.recipe,
        seed=plan.seed,
        checkpoint=folder / CHECKPOINT_FILE,
        on_progress=report,
        device=device,
    )
    scores = predict(net, WindowSet(split.test, LABELS, store), device=device)
    torch.save(net.cpu().state_dict(), folder / MODEL_FILE)
    np.save(folder / SCORES_FILE, scores)  # Last: its presence says that the fold is finished.
    return scores


def write_run_report(plan: Plan, protocol: Protocol, scores: Sequence[NDArray[np.float64]], folder: Path) -> Summary:
    """Write predictions.csv, report.html and report.json of a run, and return the measures."""
    predictions = collect_predictions(protocol, scores)
    folder.mkdir(parents=True, exist_ok=True)
    write_predictions(predictions, folder / PREDICTIONS_FILE)
    title = f"{plan.backbone}, recipe {plan.recipe.name}"
    return write_report(predictions, folder, title=title, protocol=protocol)


def evaluate_elsewhere(plan: Plan, trained: Sequence[Corpus], corpus: Corpus, out: Path, *, folder: Path) -> Summary:
    """Score a corpus that no fold has heard with the net of every fold, and write a report of it.

    Args:
        plan: of the run.
        trained: the plan's corpora.
        corpus: to be scored, all of it.
        out: folder of the run.
        folder: of the report.

    Raises:
        FileNotFoundError: a fold was not trained to its end.
        LeakError: a speaker or recording of the corpus was trained on.
        RoleError: nobody rated the corpus.
    """
    protocol = plan.divide(trained)
    everything = tuple(utterance for item in trained for utterance in item.utterances)
    sides = {"train": everything, "test": corpus.utterances}
    check_speakers(sides)
    check_sounds(sides)
    check_roles(
        {"test": corpus.utterances}
    )  # Who trained was checked by the protocol; not all of a plan's corpora did.
    windows = WindowSet(corpus.utterances, LABELS, WindowStore(plan.recipe, read_signal))
    splits = tuple(Split(f"trained for {split.name}", (), (), corpus.utterances) for split in protocol.splits)
    description = f"all of {corpus.name} is scored by the {len(splits)} nets of: {protocol.description}"
    scores = [predict(load_net(plan, out, fold)[1], windows) for fold in range(len(splits))]
    return write_run_report(plan, Protocol("cross-corpus", description, splits), scores, folder)
