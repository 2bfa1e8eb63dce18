"""`tonalog evaluate`: measures of what was trained; torch is imported on use only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tonalog.commands.evaluate_left_out import evaluate_left_out
from tonalog.commands.evaluate_personal import evaluate_personal
from tonalog.commands.training_options import (
    CORPORA,
    RUN,
    WORKERS,
    explain,
    load_corpora,
    parse_numbers,
    print_measures,
    show_steps,
)
from tonalog.screen import say


@click.group(name="evaluate")
def evaluate_command() -> None:
    """Measure what was trained."""


evaluate_command.add_command(evaluate_left_out)
evaluate_command.add_command(evaluate_personal)


@evaluate_command.command(name="run")
@RUN
@CORPORA
def evaluate_run(run: Path, corpora: tuple[str, ...]) -> None:
    """Print the measures of RUN, or score further corpora with each of its nets and report each."""
    with explain():
        from training.fitting.plan import parse_corpora, read_plan  # noqa: PLC0415
        from training.fitting.run import PREDICTIONS_FILE, evaluate_elsewhere  # noqa: PLC0415
        from training.measures import read_predictions, summarise  # noqa: PLC0415

        plan = read_plan(run)
        if plan.recipe.stages is not None:
            raise ValueError(f"{run} was made by the recipe {plan.recipe.name}: `tonalog evaluate default` measures it")
        if not corpora:
            print_measures(summarise(read_predictions(run / PREDICTIONS_FILE)))
            return
        trained = load_corpora(plan.corpora)
        pairs = parse_corpora(corpora)
        for (name, _), corpus in zip(pairs, load_corpora(pairs), strict=True):
            print_measures(evaluate_elsewhere(plan, trained, corpus, run, folder=run / name))
            say(f"report: {run / name / 'report.html'}")


@evaluate_command.command(name="default")
@RUN
@CORPORA
@click.option("--folds", default="0,1,2,3,4", show_default=True, help="Whose speakers are left out.")
@click.option(
    "--seeds", help="Of each fold's runs, whose mean is judged; default: those that shipped. Fewer are quicker."
)
@click.option("--actors", type=click.Path(path_type=Path), help="VideoDemographics.csv; default: in CREMA-D's folder.")
@WORKERS
def evaluate_default(run: Path, corpora: tuple[str, ...], workers: int, **options: Any) -> None:
    """Measure RUN, made by the recipe default, on speakers and sounds it never heard; print its model card's figures.

    CORPORA are those of the run that have moved, and labelled ones that it did not train on: these are judged as `tonalog evaluate
    left-out` does. Interrupted, it goes on where it was.
    """
    with explain():
        from training.bundle.figures import fill_figures, say_slices  # noqa: PLC0415
        from training.fitting.plan import parse_corpora, read_plan  # noqa: PLC0415
        from training.measures.slices.records import read_slices  # noqa: PLC0415
        from training.nets.backbones.whisper_base import FACTS  # noqa: PLC0415
        from training.studies.evaluation import ACTORS_FILE, Request, evaluate_model  # noqa: PLC0415

        plan = read_plan(run)
        given, trained = parse_corpora(corpora), {name for name, _ in plan.corpora}
        folders = {name: folder for name, folder in given if name in trained}
        actors = Path(folders.get(plan.corpora[0][0], plan.corpora[0][1])) / ACTORS_FILE
        request = Request(
            parse_numbers(options["folds"], name="--folds") or (),
            parse_numbers(options["seeds"], name="--seeds") or plan.stages.tune.seeds,
            options["actors"] or actors,
            tuple((name, Path(folder)) for name, folder in given if name not in trained),
        )
        with show_steps() as report:
            figures = evaluate_model(plan, run, folders, request, n_processes=workers, report=report)
        slices = say_slices(read_slices(figures["slices"]))
        say(*fill_figures(figures, scheme=FACTS.int8.text, slices=slices).split("\n"))
        say(
            f"figures: {run / 'evaluation'}; `tonalog bundle {run} --version VERSION --out NAME-VERSION` makes the bundle"
        )


@evaluate_command.command(name="voice-notes")
@RUN
@click.option("--crema-d", type=click.Path(path_type=Path), help="Folder of CREMA-D audio, where it has moved.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for windows and picture; default: RUN/voice-notes."
)
@click.option("--speakers-per-fold", type=click.IntRange(min=1), default=2, show_default=True)
def evaluate_voice_notes(run: Path, crema_d: Path | None, out: Path | None, speakers_per_fold: int) -> None:
    """Build long notes of unheard speakers, and print what silence, noise, detector and window do to their label.

    RUN was made by the recipe default and measured by `tonalog evaluate default`. Interrupted, it goes on where it was.
    """
    with explain():
        from training.studies.voice_notes.experiment import run_experiment  # noqa: PLC0415

        run_experiment(run, out=out or run / "voice-notes", speakers_per_fold=speakers_per_fold, crema_d=crema_d)
