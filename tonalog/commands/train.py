"""`tonalog train`: from corpora to nets or to a bundle; torch is imported on use only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonalog.commands.training_options import (
    CORPORA,
    WORKERS,
    explain,
    load_corpora,
    parse_numbers,
    print_measures,
    refuse_options,
    show_steps,
)
from tonalog.screen import new_progress, say

if TYPE_CHECKING:
    from training.fitting.plan import Plan

BACKBONE, PROTOCOL = "whisper-base", "speakers"
_EPILOG = """\b
Examples:
  tonalog train crema-d=CREMA-D emodb=EMODB everyday=EVERYDAY --recipe default \\
      --pretrained ENCODER.safetensors --out runs/model
  tonalog train crema-d=CREMA-D --backbone light-sernet --recipe scratch --protocol speakers --out runs/light
  tonalog train iemocap=IEMOCAP crema-d=CREMA-D --backbone distilhubert \\
      --pretrained ntu-spml/distilhubert --recipe paper --protocol loso --out runs/paper
  tonalog train --resume --out runs/paper
"""


def _read_options(options: Mapping[str, Any]) -> Plan:
    from training.fitting.plan import (  # noqa: PLC0415
        PLAN_FILE,
        Plan,
        hash_pretrained,
        parse_corpora,
        read_plan,
        resolve_pretrained,
    )
    from training.fitting.presets import find_recipe, leave_out  # noqa: PLC0415

    out: Path = options["out"]
    is_there = (out / PLAN_FILE).is_file()
    if is_there and not options["is_resumed"]:
        raise ValueError(f"{out} holds a run already: add --resume to go on, or choose another --out")
    if is_there and not options["corpora"]:
        plan = read_plan(out)
    else:
        recipe = find_recipe(options["recipe"])
        refuse_options("train", recipe)
        changes = {name: options[name] for name in ("epochs", "batch_size", "peak_learning_rate")}
        pretrained = resolve_pretrained(options["pretrained"])
        given = {} if recipe.stages is None else _name_bundle(options)
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
    refuse_options("train", plan.recipe)
    return plan


def _name_bundle(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what only a plan with stages is told."""
    steps = options["steps"]
    given = {name: options[name] for name in ("name", "version", "revision")}
    return {**given, "steps": None if steps is None else str(steps.resolve())}


@click.command(name="train", epilog=_EPILOG)
@CORPORA
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
    "--without",
    multiple=True,
    metavar="PART",
    help="Leave a part of the recipe out: pitch, trim, focal, ...; of default a further corpus: emodb, fsdd, ...",
)
@click.option("--epochs", type=int, help="Instead of the recipe's.")
@click.option("--batch-size", type=int, help="Instead of the recipe's.")
@click.option("--learning-rate", "peak_learning_rate", type=float, help="Instead of the recipe's.")
@click.option("--protocol", default=PROTOCOL, show_default=True, help="Or loso, production, cross-corpus.")
@click.option("--folds", help="Only these of the protocol, such as 0,2; --resume does the others. Default: all.")
@click.option("--seed", default=0, show_default=True)
@click.option("--device", default="cpu", show_default=True, help="Of torch.")
@click.option("--resume", "is_resumed", is_flag=True, help="Go on with the run in --out.")
@click.option("--name", default="speech-emotion", show_default=True, help="Of the bundle (recipes default and smoke).")
@click.option("--version", default="0.0.0", show_default=True, help="Of the bundle (recipes default and smoke).")
@click.option(
    "--steps",
    type=click.Path(path_type=Path),
    help="Folder of steps shared with other runs (default and smoke); default: in --out.",
)
@click.option("--revision", default="unknown", help="Of the code, for the record (recipes default and smoke).")
@WORKERS
def train_command(*, device: str, workers: int, **options: Any) -> None:
    """Make the shipped model from CREMA-D, or train any backbone on CORPORA.

    The recipe `default` makes the whole bundle, OUT/NAME-VERSION; `smoke` takes the same steps on a few windows, to see
    that they work. Every other recipe trains and tests every fold of a protocol and writes one report of it: the first
    corpus is divided into folds, the others only train; with cross-corpus the last one is tested.
    """
    with explain():
        folds = parse_numbers(options["folds"], name="--folds")
        plan = _read_options(options)
        if plan.recipe.stages is None:
            _train_folds(plan, options["out"], folds=folds, device=device)
        else:
            _train_stages(plan, options["out"], n_processes=workers)


def _train_stages(plan: Plan, out: Path, *, n_processes: int) -> None:
    from training.bundle.stages import make_model  # noqa: PLC0415

    with show_steps() as report:
        bundle = make_model(plan, out, n_processes=n_processes, report=report)
    say(f"bundle: {bundle}; try `tonalog score --model {bundle} FILE`")
    say(f"next: `tonalog evaluate default {out}` measures it on unheard speakers")


def _train_folds(plan: Plan, out: Path, *, folds: tuple[int, ...] | None, device: str) -> None:
    from training.fitting.run import FoldProgress, run_plan  # noqa: PLC0415

    corpora = load_corpora(plan.corpora)
    with new_progress("{task.description}", "bar", "elapsed", "remaining") as bar:
        task = bar.add_task("training", total=None)

        def show(now: FoldProgress) -> None:
            at = now.training
            best = "" if at.best_ua is None else f", best UA {at.best_ua:.3f}"
            done = now.fold * plan.recipe.epochs + at.n_epochs_done + at.share
            text = f"fold {now.fold + 1}/{now.n_folds} ({now.name}), epoch {at.n_epochs_done + 1}{best}"
            bar.update(task, description=text, total=now.n_folds * plan.recipe.epochs, completed=done)

        summary = run_plan(plan, corpora, out, folds=folds, on_progress=show, device=device)
    print_measures(summary)
    say(f"report: {out / 'report.html'}")
