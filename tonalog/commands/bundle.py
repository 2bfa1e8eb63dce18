"""`tonalog bundle`: from a run to a bundle; torch is imported on use only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonalog.commands.training_options import RUN, explain, load_corpora, refuse_options
from tonalog.screen import say

if TYPE_CHECKING:
    from training.bundle.gate import JudgedGate
    from training.fitting.plan import Plan


@click.command(name="bundle")
@RUN
@click.option("--out", "target", type=click.Path(path_type=Path), required=True, help="Bundle folder NAME-VERSION.")
@click.option("--version", required=True, help="Of the model.")
@click.option("--fold", default=0, show_default=True, help="Whose net.")
@click.option("--max-ua-drop", default=0.005, show_default=True, help="What int8 may cost.")
@click.option("--min-same-label", default=0.95, show_default=True, help="Share of labels that int8 must not change.")
@click.option("--max-change", default=0.15, show_default=True, help="Of any probability, int8 against float32.")
@click.option("--without-gate", is_flag=True, help="Leave the speech gate out.")
@click.option("--gate-sounds", default=60, show_default=True, help="Sounds of each kind that the speech gate learns.")
@click.option("--revision", default="unknown", help="Of the code, for the record.")
def bundle_command(run: Path, **options: Any) -> None:
    """Write one fold's net of RUN as an int8 bundle with a speech gate, or nothing where parity fails.

    A RUN of the recipe default becomes the bundle with the figures and the calibration that `tonalog evaluate default` found.
    """
    with explain():
        from training.fitting.plan import read_plan  # noqa: PLC0415

        plan = read_plan(run)
        refuse_options("bundle", plan.recipe)
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
    corpora = load_corpora(plan.corpora)
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
