"""`tonalog evaluate personal`: what a person's own baseline changes, from scores; the extra `train` is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonalog.errors import TonalogError
from tonalog.screen import say, say_json

if TYPE_CHECKING:
    from training.measures.predictions import Predictions
    from trends import BaselineRule

RULES = ("1", "2")


@click.command(name="personal")
@click.argument("scores", nargs=-1, required=True, metavar="NAME=FILE...")
@click.option(
    "--reference",
    "reference_file",
    type=click.Path(path_type=Path),
    required=True,
    help="Scores of training's own corpus, each by a model that did not train on its speaker.",
)
@click.option("--ordinary", multiple=True, metavar="NAME=FILE", help="Scores of ordinary speech, all of it neutral.")
@click.option(
    "--rule", "versions", type=click.Choice(RULES), multiple=True, help="Version of the rule; both if not given."
)
@click.option(
    "--seeds", "n_seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Draws of baselines."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first draw.")
@click.option(
    "--uncertain-below",
    type=click.FloatRange(0, 1),
    default=0.59,
    show_default=True,
    help="An absolute confidence under it is uncertain.",
)
@click.option("--assumed-neutral", type=float, help="Share of neutral that the rules assume; the others are even.")
@click.option("--max-share", type=float, help="Share of a person's offset that is taken out at most.")
@click.option("--shrink-notes", type=float, help="Notes that half of that share is taken out with.")
@click.option("--shrink-notes-in-tenant", type=float, help="The same, beyond the offset of a large tenant.")
@click.option("--shrink-persons", type=float, help="Known persons that weigh as much as no offset.")
@click.option("--json", "is_json", is_flag=True, help="Print rules, reference and figures as JSON.")
def evaluate_personal(  # noqa: PLR0917 - click passes names
    scores: tuple[str, ...],
    reference_file: Path,
    ordinary: tuple[str, ...],
    versions: tuple[str, ...],
    n_seeds: int,
    seed: int,
    uncertain_below: float,
    assumed_neutral: float | None,
    max_share: float | None,
    shrink_notes: float | None,
    shrink_notes_in_tenant: float | None,
    shrink_persons: float | None,
    is_json: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """Print how well notes are labelled with a baseline of 0 to 30 earlier notes of their speaker.

    Each FILE has the scores of a corpus that the model did not train on: a predictions.csv, or an .npz of probabilities, truth, speakers and
    names. Baselines are even over the emotions, 70 % or 91 % neutral, or of the judged note's emotion only; a judged note is not in its
    own baseline. Scores as they are say what the model hears (absolute); with a baseline they say what is unusual for the person (relative).
    """
    from training.studies import personal  # noqa: PLC0415 - not for --help

    constants = {
        "max_share": max_share,
        "shrink_notes": shrink_notes,
        "shrink_notes_in_tenant": shrink_notes_in_tenant,
        "shrink_persons": shrink_persons,
    }
    try:
        known = personal.read_scores(reference_file)
        report = personal.measure_report(
            rules=[_make_rule(known.labels, int(version), assumed_neutral, constants) for version in versions or RULES],
            corpora=_read_files(scores),
            ordinary=_read_files(ordinary),
            training=known,
            protocol=personal.Protocol(n_seeds=n_seeds, seed=seed, uncertain_below=uncertain_below),
        )
    except (ValueError, OSError) as error:
        raise TonalogError(str(error)) from error
    if is_json:
        say_json(report.as_dict())
    else:
        say(*report.format())


def _read_files(pairs: Sequence[str]) -> dict[str, Predictions]:
    from training.studies.personal import read_scores  # noqa: PLC0415

    files: list[tuple[str, Path]] = []
    for pair in pairs:
        name, equals, file = pair.partition("=")
        if not (name and equals and file):
            raise ValueError(f"scores {pair!r}; needed is NAME=FILE, such as emodb=runs/emodb/predictions.csv")
        files.append((name, Path(file)))
    names = [name for name, _ in files]
    if len(set(names)) != len(names):
        raise ValueError(f"corpora {names}; needed is each name once")
    return {name: read_scores(file) for name, file in files}


def _make_rule(
    labels: tuple[str, ...], version: int, assumed_neutral: float | None, constants: dict[str, float | None]
) -> BaselineRule:
    from trends import BaselineRule, make_middle_mix_rule, read_rule, spread_mix  # noqa: PLC0415

    if assumed_neutral is not None and not 0 < assumed_neutral < 1:
        raise ValueError(f"--assumed-neutral {assumed_neutral}; allowed is over 0 and under 1")
    mix = spread_mix(labels) if assumed_neutral is None else spread_mix(labels, neutral=assumed_neutral)
    rule = make_middle_mix_rule(mix) if version == 1 else BaselineRule(mix)
    given = {name: value for name, value in constants.items() if value is not None}
    return read_rule(rule.as_dict() | given)
