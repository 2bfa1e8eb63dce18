"""`tonalog train`, `evaluate` and `export`: from corpora to a bundle; torch is imported on use only."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tonalog.commands.evaluate_personal import evaluate_personal
from tonalog.errors import TonalogError
from tonalog.screen import new_progress, say

if TYPE_CHECKING:
    from training.bundle.gate import JudgedGate
    from training.corpora import Corpus
    from training.fitting.jobs import Report
    from training.fitting.plan import Plan
    from training.fitting.recipe import Recipe
    from training.measures import Summary

BACKBONE, PROTOCOL = "whisper-base", "speakers"
NEEDED = ("torch", "transformers", "onnx", "safetensors", "scipy")
# Options of runs that train folds, and of those whose recipe has stages; those of the other kind are refused.
OF_FOLDS = {
    "train": ("folds", "without", "epochs", "batch_size", "peak_learning_rate", "device"),
    "export": ("fold", "max_ua_drop", "min_same_label", "max_change", "without_gate", "gate_sounds"),
}
OF_STAGES = {"train": ("name", "version", "revision", "workers"), "export": ()}
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
    default=min(2, os.cpu_count() or 1),  # More memory than two need is seldom there.
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


@contextmanager
def _show_steps() -> Iterator[Report]:
    """Give a report that draws one bar for every step that it is told of."""
    with new_progress("{task.description}", "bar", "elapsed", "remaining") as bars:
        tasks = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=None)
            if (done, total) == (0, 1):
                return  # It has begun and cannot tell yet how long it is: the bar pulses.
            bars.update(tasks[name], total=total, completed=done)

        yield show


def _refuse_options(command: str, recipe: Recipe) -> None:
    """Refuse options that somebody gave and that do not apply to a recipe.

    Raises:
        ValueError: there is one.
    """
    context = click.get_current_context()
    names = OF_FOLDS[command] if recipe.stages is not None else OF_STAGES[command]
    kind = "ends in a bundle by itself" if recipe.stages is not None else "trains folds"
    for option in context.command.params:
        if option.name in names and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            value, applying = context.params[option.name], "frozen, paper and scratch"
            raise ValueError(
                f"{option.opts[0]} is {value!r} and does not apply: recipe {recipe.name} {kind}; "
                f"allowed with the recipes {applying if recipe.stages is not None else 'default and smoke'}"
            )


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
    for measure in summary.measures:
        spread = "" if measure.deviation is None else f" +- {measure.deviation:.3f}"
        say(f"{measure.name:16} {measure.mean:.3f}{spread}")


def _parse_numbers(text: str | None, *, name: str) -> tuple[int, ...] | None:
    """Read what an option lists.

    Raises:
        ValueError: the text is no list of whole numbers.
    """
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"{name} is {text!r}, allowed are whole numbers with commas between them") from error


def _read_options(options: Mapping[str, Any]) -> Plan:
    from training.fitting.plan import (  # noqa: PLC0415
        PLAN_FILE,
        Plan,
        hash_pretrained,
        parse_corpora,
        read_plan,
        resolve_pretrained,
    )
    from training.fitting.recipe import find_recipe, leave_out  # noqa: PLC0415

    out: Path = options["out"]
    is_there = (out / PLAN_FILE).is_file()
    if is_there and not options["is_resumed"]:
        raise ValueError(f"{out} holds a run already: add --resume to go on, or choose another --out")
    if is_there and not options["corpora"]:
        plan = read_plan(out)
    else:
        recipe = find_recipe(options["recipe"])
        _refuse_options("train", recipe)
        changes = {name: options[name] for name in ("epochs", "batch_size", "peak_learning_rate")}
        pretrained = resolve_pretrained(options["pretrained"])
        given = {} if recipe.stages is None else {name: options[name] for name in ("name", "version", "revision")}
        plan = Plan(
            corpora=parse_corpora(options["corpora"]),
            protocol=options["protocol"],
            backbone=options["backbone"],
            recipe=leave_out(find_recipe(options["recipe"], **changes), options["without"]),
            seed=options["seed"],
            pretrained=pretrained,
            pretrained_sha256=hash_pretrained(pretrained),
            **given,
        )
    _refuse_options("train", plan.recipe)
    return plan


@click.command(name="train", epilog=_EPILOG)
@_CORPORA
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
@click.option("--backbone", default=BACKBONE, show_default=True, help="Or distilhubert, light-sernet, wav2vec2-base.")
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
@click.option("--protocol", default=PROTOCOL, show_default=True, help="Or loso, production, cross-corpus.")
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
        folds = _parse_numbers(options["folds"], name="--folds")
        plan = _read_options(options)
        if plan.recipe.stages is None:
            _train_folds(plan, options["out"], folds=folds, device=device)
        else:
            _train_stages(plan, options["out"], n_processes=workers)


def _train_stages(plan: Plan, out: Path, *, n_processes: int) -> None:
    from training.bundle.stages import make_model  # noqa: PLC0415

    with _show_steps() as report:
        bundle = make_model(plan, out, n_processes=n_processes, report=report)
    say(f"bundle: {bundle}; try `tonalog score --model {bundle} FILE`")
    say(f"next: `tonalog evaluate default {out} emodb=FOLDER` measures it on unheard speakers")


def _train_folds(plan: Plan, out: Path, *, folds: tuple[int, ...] | None, device: str) -> None:
    from training.fitting.run import FoldProgress, run_plan  # noqa: PLC0415

    corpora = _load_corpora(plan.corpora)
    with new_progress("{task.description}", "bar", "elapsed", "remaining") as bar:
        task = bar.add_task("training", total=None)

        def show(now: FoldProgress) -> None:
            at = now.training
            best = "" if at.best_ua is None else f", best UA {at.best_ua:.3f}"
            done = now.fold * plan.recipe.epochs + at.n_epochs_done + at.share
            text = f"fold {now.fold + 1}/{now.n_folds} ({now.name}), epoch {at.n_epochs_done + 1}{best}"
            bar.update(task, description=text, total=now.n_folds * plan.recipe.epochs, completed=done)

        summary = run_plan(plan, corpora, out, folds=folds, on_progress=show, device=device)
    _print_measures(summary)
    say(f"report: {out / 'report.html'}")


@click.group(name="evaluate")
def evaluate_command() -> None:
    """Measure what was trained."""


evaluate_command.add_command(evaluate_personal)


@evaluate_command.command(name="run")
@_RUN
@_CORPORA
def evaluate_run(run: Path, corpora: tuple[str, ...]) -> None:
    """Print the measures of RUN, or score further corpora with each of its nets and report each."""
    with _explain():
        from training.fitting.plan import parse_corpora, read_plan  # noqa: PLC0415
        from training.fitting.run import PREDICTIONS_FILE, evaluate_elsewhere  # noqa: PLC0415
        from training.measures import read_predictions, summarise  # noqa: PLC0415

        plan = read_plan(run)
        if plan.recipe.stages is not None:
            raise ValueError(f"{run} was made by the recipe {plan.recipe.name}: `tonalog evaluate default` measures it")
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
def evaluate_default(run: Path, corpora: tuple[str, ...], workers: int, **options: Any) -> None:
    """Measure RUN, made by the recipe default, on speakers and sounds it never heard; print its model card's figures.

    CORPORA are emodb=FOLDER and, where it has moved, crema-d=FOLDER. Interrupted, it goes on where it was.
    """
    with _explain():
        from training.bundle.card import fill_figures, say_slices  # noqa: PLC0415
        from training.fitting.plan import parse_corpora, read_plan  # noqa: PLC0415
        from training.measures.slices.records import read_slices  # noqa: PLC0415
        from training.nets.backbones.whisper_base import FACTS  # noqa: PLC0415
        from training.studies.evaluation import ACTORS_FILE, Request, evaluate_model  # noqa: PLC0415

        plan = read_plan(run)
        folders = dict(parse_corpora(corpora))
        actors = Path(folders.get(plan.corpora[0][0], plan.corpora[0][1])) / ACTORS_FILE
        request = Request(
            _parse_numbers(options["folds"], name="--folds") or (),
            _parse_numbers(options["seeds"], name="--seeds") or plan.stages.tune.seeds,
            options["actors"] or actors,
        )
        with _show_steps() as report:
            figures = evaluate_model(plan, run, folders, request, n_processes=workers, report=report)
        slices = say_slices(read_slices(figures["slices"]))
        say(*fill_figures(figures, scheme=FACTS.int8.text, slices=slices).split("\n"))
        say(
            f"figures: {run / 'evaluation'}; `tonalog export {run} --version VERSION --out NAME-VERSION` makes the bundle"
        )


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
        from training.studies.voice_notes.experiment import run_experiment  # noqa: PLC0415

        run_experiment(run, out=out or run / "voice-notes", speakers_per_fold=speakers_per_fold, crema_d=crema_d)


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
        from training.fitting.plan import read_plan  # noqa: PLC0415

        plan = read_plan(run)
        _refuse_options("export", plan.recipe)
        (_export_fold if plan.recipe.stages is None else _export_stages)(plan, run, options)
        say(f"bundle: {options['target']}; try `tonalog score --model {options['target']} FILE`")


def _export_stages(plan: Plan, run: Path, options: Mapping[str, Any]) -> None:
    from training.bundle.manifest import split_name  # noqa: PLC0415
    from training.studies.evaluation import publish_run  # noqa: PLC0415

    target, version = options["target"], options["version"]
    named = replace(plan, name=split_name(target, version), version=version)
    if not publish_run(named, run, target, revision=options["revision"]):
        say("its card has no figures: `tonalog evaluate default` was not run")


def _export_fold(plan: Plan, run: Path, options: Mapping[str, Any]) -> None:
    from training.bundle.export import export_run  # noqa: PLC0415
    from training.bundle.gate import GateRecipe  # noqa: PLC0415
    from training.bundle.parity import Gate  # noqa: PLC0415

    gate = Gate(
        max_ua_drop=options["max_ua_drop"],
        min_same_label=options["min_same_label"],
        max_probability_change=options["max_change"],
    )
    speech = None if options["without_gate"] else GateRecipe(per_kind=options["gate_sounds"])
    kept = {name: options[name] for name in ("fold", "version", "revision")}
    corpora = _load_corpora(plan.corpora)
    exported = export_run(plan, corpora, run, options["target"], gate=gate, speech=speech, **kept)
    for name, value in exported.parity.as_dict().items():
        say(f"{name:30} {value:g}")
    say(_describe_gate(exported.gate))


def _describe_gate(judged: JudgedGate | None) -> str:
    if judged is None:
        return "speech gate: none was asked for; a noise that passes the voice activity detector is scored"
    if judged.refused is not None:
        return f"speech gate: left out, because {judged.refused}; a noise that passes the voice activity detector is scored"
    return (
        f"speech gate: misses {judged.missed:.4f} of {judged.n_held_out} held-out windows of speech, lets "
        f"{judged.mean_accepted:.4f} of sounds of unheard kinds pass"
    )
