"""`tonalog evaluate personal`: what a person's own baseline changes, from predictions; the extra `train` is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonalog.errors import TonalogError
from tonalog.screen import say, say_json

if TYPE_CHECKING:
    from trends import BaselineRule


@click.command(name="personal")
@click.argument("predictions", nargs=-1, required=True, metavar="NAME=FILE...")
@click.option(
    "--reference",
    "reference_file",
    type=click.Path(path_type=Path),
    required=True,
    help="Predictions of training's own corpus, each by a model that did not train on its speaker.",
)
@click.option(
    "--seeds", "n_seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Draws of baselines."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first draw.")
@click.option("--assumed-neutral", type=float, help="Share of neutral that the rule assumes; the others are even.")
@click.option("--shrink-notes", type=float, help="Notes that weigh as much as what is known without them.")
@click.option("--shrink-persons", type=float, help="Known persons that weigh as much as no offset.")
@click.option("--json", "is_json", is_flag=True, help="Print rule, reference and figures as JSON.")
def evaluate_personal(  # noqa: PLR0917 - click passes names
    predictions: tuple[str, ...],
    reference_file: Path,
    n_seeds: int,
    seed: int,
    assumed_neutral: float | None,
    shrink_notes: float | None,
    shrink_persons: float | None,
    is_json: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """Print how well notes are labelled with a baseline of 0 to 30 earlier notes of their speaker.

    Each FILE is a predictions.csv of a corpus that the model did not train on. Baselines are even over the emotions, 70 % or 91 % neutral,
    or of the judged note's emotion only; a judged note is not in its own baseline.
    """
    from training.measures.predictions import read_predictions  # noqa: PLC0415
    from training.studies.personal import format_tables, measure_corpus, measure_reference  # noqa: PLC0415 - not for --help

    try:
        files = _parse_files(predictions)
        known = read_predictions(reference_file)
        rule = _make_rule(known.labels, assumed_neutral, shrink_notes=shrink_notes, shrink_persons=shrink_persons)
        reference = measure_reference(known, rule)
        outcomes = [
            outcome
            for name, file in files
            for outcome in measure_corpus(
                name, read_predictions(file), reference=reference, rule=rule, n_seeds=n_seeds, seed=seed
            )
        ]
    except (ValueError, OSError) as error:
        raise TonalogError(str(error)) from error
    if is_json:
        figures = [asdict(outcome) for outcome in outcomes]
        say_json({"rule": rule.as_dict(), "reference": reference.as_dict(), "outcomes": figures})
        return
    say(*format_tables(outcomes))
    say("rule: " + ", ".join(f"{name} {value}" for name, value in rule.as_dict().items()))


def _parse_files(pairs: Sequence[str]) -> list[tuple[str, Path]]:
    files = []
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not (name and equals and file):
            raise ValueError(f"predictions {pair!r}; needed is NAME=FILE, such as emodb=runs/emodb/predictions.csv")
        files.append((name, Path(file)))
    names = [name for name, _ in files]
    if len(set(names)) != len(names):
        raise ValueError(f"corpora {names}; needed is each name once")
    return files


def _make_rule(
    labels: tuple[str, ...], assumed_neutral: float | None, *, shrink_notes: float | None, shrink_persons: float | None
) -> BaselineRule:
    from trends import MIDDLE_MIX, BaselineRule  # noqa: PLC0415

    mix = dict(MIDDLE_MIX)
    if assumed_neutral is not None:
        if not 0 < assumed_neutral < 1:
            raise ValueError(f"--assumed-neutral {assumed_neutral}; allowed is over 0 and under 1")
        mix = dict.fromkeys(labels, (1 - assumed_neutral) / max(1, len(labels) - 1)) | {"neutral": assumed_neutral}
    rule = BaselineRule(mix)
    return replace(
        rule,
        shrink_notes=rule.shrink_notes if shrink_notes is None else shrink_notes,
        shrink_persons=rule.shrink_persons if shrink_persons is None else shrink_persons,
    )
