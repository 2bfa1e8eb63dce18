"""`tonalog train`, `evaluate` and `export`: the recipe from corpora to a bundle; torch is imported on use only."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonalog.commands import train_model
from tonalog.commands.evaluate_left_out import evaluate_left_out
from tonalog.commands.evaluate_personal import evaluate_personal
from tonalog.errors import TonalogError
from tonalog.screen import new_progress, say

if TYPE_CHECKING:
    from training.corpora import Corpus
    from training.export.speech_gate import JudgedGate
    from training.report import Summary
    from training.runs.plan import Plan

DEFAULT_PROTOCOL = "speakers"
NEEDED = ("torch", "transformers", "onnx", "safetensors", "scipy")
_EPILOG = """\b
Examples:
  tonalog train crema-d=CREMA-D --recipe default --pretrained ENCODER.safetensors --out runs/model
  tonalog train crema-d=CREMA-D --backbone light-sernet --recipe scratch --protocol speakers --out runs/light
  tonalog train iemocap=IEMOCAP crema-d=CREMA-D --backbone distilhubert \\
      --pretrained ntu-spml/distilhubert --recipe paper --protocol loso --out runs/paper
  tonalog train --resume --out runs/paper
"""
_RUN = click.argument("run", type=click.Path(path_type=Path))
_CORPORA = click.argument("corpora", nargs=-1, metavar="[NAME=FOLDER]...")
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=train_model.count_workers(),
    show_default="2, or as many as there are cores",
    help="Processes of the recipe default.",
)


@contextmanager
def _explain() -> Iterator[None]:
    """Answer wrong use and a missing extra with one sentence."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise TonalogError(f"training needs {', '.join(missing)}: pip install --editable '.[train]'")
    try:
        yield
    except (ValueError, OSError) as error:
        raise TonalogError(str(error)) from error


def _load_corpora(pairs: tuple[tuple[str, str], ...]) -> list[Corpus]:
    from training.corpora import load_corpus  # noqa: PLC0415 - heavy, and not for --help

    loaded = []
    with new_progress("spinner", "listening to {task.description}", "{task.completed}", "elapsed") as bar:
        for name, folder in pairs:
            task = bar.add_task(name, total=None)
            corpus = load_corpus(name, Path(folder), on_sound=lambda *_, task=task: bar.advance(task))
            bar.update(task, total=1, completed=1)
            loaded.append(corpus)
    for corpus in loaded:
        counts = ", ".join(f"{n} {label}" for label, n in corpus.count_labels().items())
        say(f"{corpus.name}: {counts}; left out {len(corpus.defects)}")
    return loaded


def _print_measures(summary: Summary) -> None:
    for one in summary.measures:
        spread = "" if one.deviation is None else f" +- {one.deviation:.3f}"
        say(f"{one.name:16} {one.mean:.3f}{spread}")


def _read_options(options: dict[str, Any]) -> Plan:
    from training.backbones import list_backbones  # noqa: PLC0415
    from training.runs.plan import PLAN_FILE, Plan, parse_corpora, read_plan, resolve_pretrained  # noqa: PLC0415
    from training.runs.recipe import find_recipe, leave_out  # noqa: PLC0415

    out: Path = options["out"]
    is_there = (out / PLAN_FILE).is_file()
    if is_there and not options["is_resumed"]:
        raise ValueError(f"{out} holds a run already: add --resume to go on, or choose another --out")
    if is_there and not options["corpora"]:
        return read_plan(out)
    backbone = options["backbone"] or train_model.BACKBONE
    if backbone not in list_backbones():
        raise ValueError(f"--backbone is {backbone!r}, allowed are {list(list_backbones())}")
    changes = {name: options[name] for name in ("epochs", "batch_size", "peak_learning_rate")}
    recipe = find_recipe(options["recipe"], **changes)
    return Plan(
        corpora=parse_corpora(options["corpora"]),
        protocol=options["protocol"] or DEFAULT_PROTOCOL,
        backbone=backbone,
        recipe=leave_out(recipe, options["without"]),
        seed=options["seed"],
        pretrained=resolve_pretrained(options["pretrained"]),
    )


def _makes_model(options: dict[str, Any]) -> bool:
    from training.runs.plan import PLAN_FILE  # noqa: PLC0415
    from training.runs.recipe import RECIPES  # noqa: PLC0415
    from training.whisper3.recipe import MODEL_RECIPES  # noqa: PLC0415

    if (options["out"] / PLAN_FILE).is_file():
        return False
    if options["recipe"] not in {*RECIPES, *MODEL_RECIPES}:
        raise ValueError(f"recipe {options['recipe']!r} is unknown, allowed are {[*MODEL_RECIPES, *RECIPES]}")
    return train_model.is_model_run(options["out"]) or options["recipe"] in MODEL_RECIPES


@click.command(name="train", epilog=_EPILOG)
@_CORPORA
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option("--backbone", help=f"{train_model.BACKBONE} (default), distilhubert, light-sernet, ...")
@click.option("--pretrained", help="Folder, file or name of the backbone's weights; default: from chance.")
@click.option(
    "--recipe",
    default="default",
    show_default=True,
    help="The shipped model's (default, smoke); paper, frozen or scratch.",
)
@click.option(
    "--without", multiple=True, metavar="PART", help="Leave a part of the recipe out: pitch, trim, focal, ..."
)
@click.option("--epochs", type=int, help="Instead of the recipe's.")
@click.option("--batch-size", type=int, help="Instead of the recipe's.")
@click.option("--learning-rate", "peak_learning_rate", type=float, help="Instead of the recipe's.")
@click.option("--protocol", help=f"{DEFAULT_PROTOCOL} (default), loso, production, cross-corpus.")
@click.option("--folds", help="Only these of the protocol, such as 0,2; --resume does the others. Default: all.")
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="Of torch.")
@click.option("--resume", "is_resumed", is_flag=True, help="Go on with the run in --out.")
@click.option("--name", default="whisper3", show_default=True, help="Of the bundle (recipes default and smoke).")
@click.option("--version", default="0.0.0", show_default=True, help="Of the bundle (recipes default and smoke).")
@click.option("--revision", default="unknown", help="Of the code, for the record (recipes default and smoke).")
@_WORKERS
def train_command(*, device: str, workers: int, **options: Any) -> None:
    """Make the shipped model from CREMA-D, or train any backbone on CORPORA.

    The recipe `default` makes the whole bundle, OUT/NAME-VERSION; `smoke` takes the same steps on a few windows, to see
    that they work. Every other recipe trains and tests every fold of a protocol and writes one report of it: the first
    corpus is divided into folds, the others only train; with cross-corpus the last one is tested.
    """
    with _explain():
        from training.runs.run import FoldProgress, run_plan  # noqa: PLC0415

        folds = None if options["folds"] is None else train_model.parse_numbers(options["folds"], name="--folds")
        if _makes_model(options):
            if folds is not None:
                raise ValueError("--folds is for recipes that train folds; `tonalog evaluate default` takes it")
            train_model.train(options, device=device, n_processes=workers)
            return
        plan = _read_options(options)
        corpora = _load_corpora(plan.corpora)
        with new_progress("{task.description}", "bar", "elapsed", "remaining") as bar:
            task = bar.add_task("training", total=None)

            def show(now: FoldProgress) -> None:
                at = now.training
                best = "" if at.best_ua is None else f", best UA {at.best_ua:.3f}"
                done = now.fold * plan.recipe.epochs + at.n_epochs_done + at.share
                told = f"fold {now.fold + 1}/{now.n_folds} ({now.name}), epoch {at.n_epochs_done + 1}{best}"
                bar.update(task, description=told, total=now.n_folds * plan.recipe.epochs, completed=done)

            summary = run_plan(plan, corpora, options["out"], folds=folds, on_progress=show, device=device)
        _print_measures(summary)
        say(f"report: {options['out'] / 'report.html'}")


@click.group(name="evaluate")
def evaluate_command() -> None:
    """Measure what was trained."""


evaluate_command.add_command(evaluate_left_out)
evaluate_command.add_command(evaluate_personal)


@evaluate_command.command(name="run")
@_RUN
@_CORPORA
def evaluate_run(run: Path, corpora: tuple[str, ...]) -> None:
    """Print the measures of RUN, or score further corpora with each of its nets and report each."""
    with _explain():
        from training.report import read_predictions, summarise  # noqa: PLC0415
        from training.runs.plan import parse_corpora, read_plan  # noqa: PLC0415
        from training.runs.run import PREDICTIONS_FILE, evaluate_elsewhere  # noqa: PLC0415

        plan = read_plan(run)
        if not corpora:
            _print_measures(summarise(read_predictions(run / PREDICTIONS_FILE)))
            return
        trained = _load_corpora(plan.corpora)
        pairs = parse_corpora(corpora)
        for (name, _), corpus in zip(pairs, _load_corpora(pairs), strict=True):
            _print_measures(evaluate_elsewhere(plan, trained, corpus, run, folder=run / name))
            say(f"report: {run / name / 'report.html'}")


@evaluate_command.command(name="default")
@_RUN
@_CORPORA
@click.option("--folds", default="0,1,2,3,4", show_default=True, help="Whose speakers are left out.")
@click.option(
    "--seeds", help="Of each fold's runs, whose mean is judged; default: those that shipped. Fewer are quicker."
)
@click.option("--actors", type=click.Path(path_type=Path), help="VideoDemographics.csv; default: in CREMA-D's folder.")
@_WORKERS
def evaluate_default(run: Path, corpora: tuple[str, ...], **options: Any) -> None:
    """Measure RUN, made by the recipe default, on speakers and sounds it never heard; print its model card's figures.

    CORPORA are emodb=FOLDER and, where it has moved, crema-d=FOLDER. Interrupted, it goes on where it was.
    """
    with _explain():
        train_model.evaluate(run, corpora, options)


@evaluate_command.command(name="voice-notes")
@_RUN
@click.option("--crema-d", type=click.Path(path_type=Path), help="Folder of CREMA-D audio, where it has moved.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for windows and picture; default: RUN/voice-notes."
)
@click.option("--speakers-per-fold", type=click.IntRange(min=1), default=2, show_default=True)
def evaluate_voice_notes(run: Path, crema_d: Path | None, out: Path | None, speakers_per_fold: int) -> None:
    """Build long notes of unheard speakers, and print what silence, noise, detector and window do to their label.

    RUN was made by the recipe default and measured by `tonalog evaluate default`. Interrupted, it goes on where it was.
    """
    with _explain():
        from training.voice_notes.experiment import run_experiment  # noqa: PLC0415

        run_experiment(run, out=out or run / "voice-notes", speakers_per_fold=speakers_per_fold, crema_d=crema_d)


def _tell_gate(judged: JudgedGate | None) -> str:
    if judged is None:
        return "speech gate: none was asked for; a noise that passes the voice activity detector is scored"
    if judged.refused is not None:
        return f"speech gate: left out, because {judged.refused}; a noise that passes the voice activity detector is scored"
    return (
        f"speech gate: misses {judged.missed:.4f} of {judged.n_held_out} held-out windows of speech, lets "
        f"{judged.mean_accepted:.4f} of sounds of unheard kinds pass"
    )


@click.command(name="export")
@_RUN
@click.option("--out", "target", type=click.Path(path_type=Path), required=True, help="Bundle folder NAME-VERSION.")
@click.option("--version", required=True, help="Of the model.")
@click.option("--fold", default=0, show_default=True, help="Whose net.")
@click.option("--max-ua-drop", default=0.005, show_default=True, help="What int8 may cost.")
@click.option("--min-same-label", default=0.95, show_default=True, help="Share of labels that int8 must not change.")
@click.option("--max-change", default=0.15, show_default=True, help="Of any probability, int8 against float32.")
@click.option("--without-gate", is_flag=True, help="Leave the speech gate out.")
@click.option("--gate-sounds", default=60, show_default=True, help="Sounds of each kind that the speech gate learns.")
@click.option("--revision", default="unknown", help="Of the code, for the record.")
def export_command(run: Path, **options: Any) -> None:
    """Write one fold's net of RUN as an int8 bundle with a speech gate, or nothing where parity fails.

    A RUN of the recipe default becomes the bundle with the figures and the calibration that `tonalog evaluate default` found.
    """
    with _explain():
        from training.export.parity import Gate  # noqa: PLC0415
        from training.export.run import export_run  # noqa: PLC0415
        from training.export.speech_gate import GateRecipe  # noqa: PLC0415
        from training.runs.plan import read_plan  # noqa: PLC0415

        if train_model.is_model_run(run):
            train_model.export(run, options["target"], version=options["version"], revision=options["revision"])
            return
        plan = read_plan(run)
        gate = Gate(
            max_ua_drop=options["max_ua_drop"],
            min_same_label=options["min_same_label"],
            max_probability_change=options["max_change"],
        )
        speech = None if options["without_gate"] else GateRecipe(per_kind=options["gate_sounds"])
        kept = {name: options[name] for name in ("fold", "version", "revision")}
        exported = export_run(
            plan, _load_corpora(plan.corpora), run, options["target"], gate=gate, speech=speech, **kept
        )
        for name, value in exported.parity.as_dict().items():
            say(f"{name:24} {value:g}")
        say(_tell_gate(exported.gate))
        say(f"bundle: {options['target']}; try `tonalog score --model {options['target']} FILE`")
