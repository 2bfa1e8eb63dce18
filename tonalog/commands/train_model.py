"""The part of `tonalog train`, `evaluate` and `export` that makes the shipped model; torch is imported on use only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonalog.screen import new_progress, say

if TYPE_CHECKING:
    from training.data.views import Source
    from training.fitting.jobs import Report
    from training.fitting.model_plan import ModelPlan

BACKBONE = "whisper-base"
# Options of `tonalog train` that belong to the other recipes, with their names in `options`.
_FOREIGN = {
    "--without": "without",
    "--epochs": "epochs",
    "--batch-size": "batch_size",
    "--learning-rate": "peak_learning_rate",
    "--protocol": "protocol",
}


def count_workers() -> int:
    """Return how many processes help unless it is said: two where there are two cores, as more memory is seldom there."""
    return min(2, os.cpu_count() or 1)


@contextmanager
def _show_steps() -> Iterator[Report]:
    """Give a report that draws one bar for every step it hears of."""
    with new_progress("{task.description}", "bar", "elapsed", "remaining") as bars:
        tasks = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=None)
            if (done, total) == (0, 1):
                return  # It has begun and cannot tell yet how long it is: the bar pulses.
            bars.update(tasks[name], total=total, completed=done)

        yield show


def _check_options(options: Mapping[str, Any], device: str) -> None:
    """Refuse what only other recipes have.

    Raises:
        ValueError: such an option is given.
    """
    recipe = options["recipe"]
    for flag, name in _FOREIGN.items():
        if options[name]:
            raise ValueError(
                f"{flag} is {options[name]!r}, and recipe {recipe} has none: --recipe frozen, paper or scratch"
            )
    if device != "cpu":
        raise ValueError(f"--device is {device!r}, and recipe {recipe} allows cpu alone")
    if options["backbone"] not in {None, BACKBONE}:
        raise ValueError(
            f"--backbone is {options['backbone']!r}, and recipe {recipe} allows {BACKBONE} alone; "
            "others go with --recipe frozen, paper or scratch"
        )


def _read_options(options: Mapping[str, Any], device: str) -> ModelPlan:
    from training.fitting.model_plan import PLAN_FILE, ModelPlan, hash_file, read_model_plan  # noqa: PLC0415
    from training.fitting.model_recipe import MODEL_RECIPES  # noqa: PLC0415
    from training.fitting.plan import parse_corpora  # noqa: PLC0415

    out: Path = options["out"]
    is_there = (out / PLAN_FILE).is_file()
    if is_there and not options["is_resumed"]:
        raise ValueError(f"{out} holds a run already: add --resume to go on, or choose another --out")
    if is_there and not options["corpora"]:
        return read_model_plan(out)
    if options["recipe"] not in MODEL_RECIPES:
        raise ValueError(
            f"{out} holds a run of {list(MODEL_RECIPES)}, --recipe is {options['recipe']!r}: choose another --out"
        )
    _check_options(options, device)
    pairs = parse_corpora(options["corpora"])
    if [name for name, _ in pairs] != ["crema-d"]:
        names = [name for name, _ in pairs]
        raise ValueError(f"{len(names)} corpora {names}; recipe {options['recipe']} trains on one: crema-d=FOLDER")
    if options["pretrained"] is None:
        raise ValueError(
            "no --pretrained; allowed is a safetensors file of Whisper base's encoder, as training/README.md says"
        )
    encoder = Path(options["pretrained"]).resolve()
    return ModelPlan(
        crema_d=pairs[0][1],
        encoder=str(encoder),
        encoder_sha256=hash_file(encoder),
        recipe=MODEL_RECIPES[options["recipe"]],
        seed=options["seed"],
        name=options["name"],
        version=options["version"],
        revision=options["revision"],
    )


def train(options: Mapping[str, Any], *, device: str, n_processes: int) -> None:
    """Make the model and its bundle, and say where it is."""
    from training.bundle.train import train_model  # noqa: PLC0415

    plan = _read_options(options, device)
    with _show_steps() as report:
        bundle = train_model(plan, options["out"], n_processes=n_processes, report=report)
    say(f"bundle: {bundle}; try `tonalog score --model {bundle} FILE`")
    say(f"next: `tonalog evaluate default {options['out']} emodb=FOLDER` measures it on unheard speakers")


def _find_source(plan: ModelPlan, corpora: Sequence[str]) -> Source:
    from training.fitting.plan import parse_corpora  # noqa: PLC0415

    folders = dict(parse_corpora(corpora))
    if unknown := sorted(set(folders) - {"crema-d", "emodb"}):
        raise ValueError(f"corpora {unknown}, allowed are crema-d=FOLDER and emodb=FOLDER")
    paths = {name: Path(folder) for name, folder in folders.items()}
    return plan.find_source(crema_d=paths.get("crema-d"), emodb=paths.get("emodb"))


def parse_numbers(text: str, *, name: str) -> list[int]:
    """Read what an option lists.

    Raises:
        ValueError: the text is no list of whole numbers.
    """
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(f"{name} is {text!r}, allowed are whole numbers with commas between them") from error


def evaluate(run: Path, corpora: Sequence[str], options: Mapping[str, Any]) -> None:
    """Measure a run, and print every figure of its model card."""
    from training.bundle.card import fill_figures, say_slices  # noqa: PLC0415
    from training.fitting.model_plan import read_model_plan  # noqa: PLC0415
    from training.measures.slices.found import read_slices  # noqa: PLC0415
    from training.nets.backbones.whisper_base import FACTS  # noqa: PLC0415
    from training.studies.evaluation import ACTORS_FILE, evaluate_model  # noqa: PLC0415

    plan = read_model_plan(run)
    source = _find_source(plan, corpora)
    with _show_steps() as report:
        figures = evaluate_model(
            plan,
            run,
            source,
            folds=parse_numbers(options["folds"], name="--folds"),
            seeds=plan.recipe.seeds if options["seeds"] is None else parse_numbers(options["seeds"], name="--seeds"),
            actors=options["actors"] or source.crema_d / ACTORS_FILE,
            n_processes=options["workers"],
            report=report,
        )
    slices = say_slices(read_slices(figures["slices"]))
    say(*fill_figures(figures, scheme=FACTS.int8.text, slices=slices).split("\n"))
    say(f"figures: {run / 'evaluation'}; `tonalog export {run} --version VERSION --out NAME-VERSION` makes the bundle")


def is_model_run(run: Path) -> bool:
    """Tell whether a folder holds a run that makes the shipped model."""
    from training.fitting.model_plan import PLAN_FILE  # noqa: PLC0415

    return (run / PLAN_FILE).is_file()


def export(run: Path, target: Path, *, version: str, revision: str) -> None:
    """Write the bundle of a run, with the figures and the calibration that `tonalog evaluate default` found."""
    from training.bundle.publish import publish, read_figures  # noqa: PLC0415
    from training.fitting.model_plan import Places, read_model_plan  # noqa: PLC0415

    name = target.name.removesuffix(f"-{version}")
    if name == target.name:
        raise ValueError(f"the bundle's folder is {target.name}, allowed is a name that ends in -{version}")
    places = Places(run)
    publish(replace(read_model_plan(run), name=name, version=version), places, target, revision=revision)
    if read_figures(places) is None:
        say("its card has no figures: `tonalog evaluate default` was not run")
    say(f"bundle: {target}; try `tonalog score --model {target} FILE`")
