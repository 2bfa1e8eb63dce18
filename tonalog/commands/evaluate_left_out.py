"""`tonalog evaluate left-out`: bundles judged on corpora that they did not train on; the extra `train` is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonalog.errors import TonalogError
from tonalog.screen import new_progress, say

if TYPE_CHECKING:
    from training.studies.left_out.judge import OnProgress, Plan

MAX_ERROR = 0.25
_EPILOG = """\b
Examples:
  tonalog evaluate left-out models/whisper3-0.5.1 ased=ASED emovo=EMOVO urdu=URDU emodb=EMODB
  tonalog evaluate left-out OLD NEW ased=ASED emodb=EMODB --everyday EVERYDAY --reference crema-d=CREMA-D
"""


@click.command(name="left-out", epilog=_EPILOG)
@click.argument("arguments", nargs=-1, required=True, metavar="BUNDLE... [NAME=FOLDER]...")
@click.option(
    "--everyday", type=click.Path(path_type=Path), help="Folder of sets of ordinary speech: all sets below it."
)
@click.option(
    "--reference",
    metavar="NAME=FOLDER",
    help="Corpus of training, scored by each bundle whose manifest has no `baseline`: the reference of its own baselines. "
    "Default: no own baselines of those.",
)
@click.option(
    "--trained", multiple=True, metavar="NAME", help="Corpus that the bundles trained on, beside what manifests say."
)
@click.option("--calibrate", "is_calibrated", is_flag=True, help="Choose a temperature and a limit of uncertainty too.")
@click.option(
    "--max-error",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help=f"Of what is labelled with certainty, for --calibrate; default: {MAX_ERROR}.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/left-out"),
    show_default=True,
    help="Folder for scores, predictions and tables.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Processes that score, on the CPU."
)
def evaluate_left_out(  # noqa: PLR0917 - click passes names
    arguments: tuple[str, ...],
    everyday: Path | None,
    reference: str | None,
    trained: tuple[str, ...],
    is_calibrated: bool,  # noqa: FBT001 - click passes it by name
    max_error: float | None,
    out: Path,
    workers: int,
) -> None:
    """Judge each BUNDLE on labelled corpora and on ordinary speech that it did not train on, all by one protocol.

    Recordings are scored as serving does. Scores are kept in --out, so that an interrupted or repeated run goes on. Several bundles are
    shown side by side. --out gets left_out.md, left_out.json, and a file for `tonalog evaluate personal` of each bundle and labelled corpus.
    """
    from training.studies.left_out import PROTOCOL, judge, write_report  # noqa: PLC0415 - not for --help
    from training.studies.left_out.scores import WorkersLost  # noqa: PLC0415

    try:
        if max_error is not None and not is_calibrated:
            raise TonalogError(f"--max-error {max_error:g} is for --calibrate; add that, or leave --max-error out")
        bound = (max_error or MAX_ERROR) if is_calibrated else None
        plan = _make_plan(arguments, everyday, reference, trained=trained, max_error=bound, out=out, workers=workers)
        say(PROTOCOL)
        with _show_progress() as on_progress:
            judged = judge(plan, on_progress=on_progress)
        say(*write_report(judged, out)[1:])
    except (ValueError, OSError, WorkersLost) as error:
        raise TonalogError(str(error)) from error
    say("", f"tables, and predictions for `tonalog evaluate personal`: {out}")


def _make_plan(
    arguments: tuple[str, ...],
    everyday: Path | None,
    reference: str | None,
    *,
    trained: tuple[str, ...],
    max_error: float | None,
    out: Path,
    workers: int,
) -> Plan:
    from training.corpora import find_sets  # noqa: PLC0415
    from training.studies.left_out import Plan, parse_corpora  # noqa: PLC0415

    bundles = tuple(Path(argument) for argument in arguments if "=" not in argument)
    pairs = parse_corpora([argument for argument in arguments if "=" in argument])
    pairs += [] if everyday is None else find_sets(everyday)
    if not bundles or not pairs:
        raise ValueError(
            f"{len(bundles)} bundles and {len(pairs)} corpora; needed are at least 1 BUNDLE and 1 NAME=FOLDER, or --everyday"
        )
    known = None if reference is None else parse_corpora([reference])[0]
    return Plan(bundles, tuple(pairs), out, known, trained, max_error, workers)


@contextmanager
def _show_progress() -> Iterator[OnProgress]:
    with new_progress("{task.description}", "bar", "{task.completed}", "elapsed", "remaining") as bar:
        tasks = {}

        def show(what: str, n_done: int, n_all: int | None) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=n_all)
            bar.update(tasks[what], completed=n_done, total=n_all)

        yield show
