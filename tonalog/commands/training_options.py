"""What `tonalog train`, `evaluate` and `bundle` share: arguments, bars, corpora, and options that do not apply; torch is imported on use only."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tonalog.errors import TonalogError
from tonalog.screen import new_progress, say

if TYPE_CHECKING:
    from training.corpora import Corpus
    from training.fitting.jobs import Report
    from training.fitting.recipe import Recipe
    from training.measures import Summary

NEEDED = ("torch", "transformers", "onnx", "safetensors", "scipy")
# Options of runs that train folds, and of those whose recipe has stages; those of the other kind are refused.
OF_FOLDS = {
    "train": ("folds", "epochs", "batch_size", "peak_learning_rate", "device"),
    "bundle": ("fold", "max_ua_drop", "min_same_label", "max_change", "without_gate", "gate_sounds"),
}
OF_STAGES = {"train": ("name", "version", "revision", "steps", "workers"), "bundle": ()}
RUN = click.argument("run", type=click.Path(path_type=Path))
CORPORA = click.argument("corpora", nargs=-1, metavar="[NAME=FOLDER]...")
WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=min(2, os.cpu_count() or 1),  # More memory than two need is seldom there.
    show_default="2, or as many as there are cores",
    help="Processes of the recipe default.",
)


@contextmanager
def explain() -> Iterator[None]:
    """Answer wrong use and a missing extra with one sentence."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise TonalogError(f"training needs {', '.join(missing)}: pip install --editable '.[train]'")
    try:
        yield
    except (ValueError, OSError) as error:
        raise TonalogError(str(error)) from error


@contextmanager
def show_steps() -> Iterator[Report]:
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


def refuse_options(command: str, recipe: Recipe) -> None:
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


def load_corpora(pairs: tuple[tuple[str, str], ...]) -> list[Corpus]:
    """Load corpora by layout and folder, under a bar, and print what each holds."""
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


def print_measures(summary: Summary) -> None:
    """Print the mean of each measure over folds, with its deviation."""
    for measure in summary.measures:
        spread = "" if measure.deviation is None else f" +- {measure.deviation:.3f}"
        say(f"{measure.name:16} {measure.mean:.3f}{spread}")


def parse_numbers(text: str | None, *, name: str) -> tuple[int, ...] | None:
    """Read what an option lists.

    Raises:
        ValueError: the text is no list of whole numbers.
    """
    try:
        return None if text is None else tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"{name} is {text!r}, allowed are whole numbers with commas between them") from error
