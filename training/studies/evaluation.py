"""Measure a trained run on speakers and sounds that its nets never heard; every figure of the model card comes from here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from training.bundle.gate import GATE_VIEWS, evaluate_gate
from training.bundle.model_graph import FACTS_FILE, finish_graph
from training.bundle.publish import FIGURES_FILE
from training.bundle.small import SMALL_FILE, compare_small, join_small
from training.bundle.train import cache_all_features, cache_all_frames, tune_all
from training.data.crowd import CROWD
from training.data.files import write_json
from training.data.views import Source, load_trained
from training.fitting.jobs import Count, Job, Report, ignore, run_jobs
from training.fitting.model_plan import ModelPlan, Places
from training.fitting.model_recipe import Calibration
from training.fitting.tune import JUDGED, TRAINED
from training.measures.predictions import read_predictions
from training.measures.slices import group_speakers, measure_slices, read_actors
from training.measures.slices.writing import write_slices
from training.protocols.folds import MIN_FOLDS, N_FOLDS
from training.studies.dimensions import measure_dimensions
from training.studies.fold_summary import PREDICTIONS_FILE, sum_up

ACTORS_FILE = "VideoDemographics.csv"
TITLE = "Slices of CREMA-D's actors"


def check_request(places: Places, source: Source, *, folds: Sequence[int], actors: Path) -> None:
    """Refuse what could not be evaluated to its end, before an hour is spent on it.

    Raises:
        ValueError: a fold is not there, there are under two, no EmoDB is given, or the table of actors lacks a column.
        FileNotFoundError: the run was not trained to its end, or there is no table of actors.
    """
    if len(set(folds)) < MIN_FOLDS or not set(folds) <= set(range(N_FOLDS)):
        raise ValueError(f"folds {sorted(folds)}, allowed are {MIN_FOLDS} or more different ones of 0 to {N_FOLDS - 1}")
    if source.emodb is None:
        raise ValueError("no EmoDB to judge by: emodb=FOLDER; no window of it trains anything")
    if not (places.graph / FACTS_FILE).is_file():
        raise FileNotFoundError(
            f"{places.root} was not trained to its end; `tonalog train --resume --out {places.root}` goes on with it"
        )
    if not actors.is_file():
        raise FileNotFoundError(f"{actors} is not there; --actors FILE says where CREMA-D's {ACTORS_FILE} is")
    read_actors(actors)


def evaluate_model(
    plan: ModelPlan,
    out: Path,
    source: Source,
    *,
    folds: Sequence[int],
    seeds: Sequence[int],
    actors: Path,
    n_processes: int = 1,
    report: Report = ignore,
) -> dict[str, Any]:
    """Measure everything that the model card tells. Called again, it goes on where it was interrupted.

    Args:
        plan: of the run, trained to its end.
        out: folder of the run.
        source: of windows, EmoDB included.
        folds: whose speakers are left out, each by runs of its own.
        seeds: of those runs; the mean of as many is judged.
        actors: CREMA-D's table of actors.
        n_processes: so many runs and copies at a time.
        report: told of every step how far it is.

    Returns:
        What `figures.json` holds: evaluation, dimensions, int8, gate, final, defects and slices.

    Raises:
        ValueError, FileNotFoundError: as `check_request`.
        WorkersLost: a process ended abruptly.
    """
    places = Places(out)
    check_request(places, source, folds=folds, actors=actors)
    heard = dict.fromkeys((*TRAINED, *JUDGED))
    cache_all_frames(source, heard, Path(plan.encoder), places.frames, n_processes=n_processes, report=report)
    wanted, chosen = sorted(set(folds)), sorted(set(seeds))
    runs = tune_all(plan, places, wanted, seeds=chosen, n_processes=n_processes, report=report)
    names = (*GATE_VIEWS, CROWD)
    cache_all_features(source, names, places.features, n_processes=n_processes, report=report)
    evaluation = sum_up(runs, places.evaluation)
    found = evaluation["calibration"]
    calibration = Calibration(found["temperature"], found["uncertain_below"])
    report("gate on unheard sounds", 0, 1)
    gate = evaluate_gate(places.features, plan.recipe.speech_threshold)
    report("gate on unheard sounds", 1, 1)
    finish_graph(plan, places, places.evaluation, source, calibration=calibration)
    graph = json.loads((places.evaluation / FACTS_FILE).read_text(encoding="utf-8"))["figures"]
    slices = _slice(places.evaluation, actors, calibration, n_draws=source.amounts.n_draws)
    int8 = _compare_int8(runs, source, n_processes=n_processes, report=report)
    predictions = places.evaluation / PREDICTIONS_FILE
    dimensions = measure_dimensions(plan, runs, predictions, temperature=calibration.temperature)
    measured = {"evaluation": evaluation, "dimensions": dimensions, "int8": int8, "gate": gate}
    figures = {**measured, **graph, "slices": slices}
    write_json(places.evaluation / FIGURES_FILE, figures)
    return figures


def _compare_int8(runs: Sequence[Path], source: Source, *, n_processes: int, report: Report) -> dict[str, Any]:
    """Return what int8 changes for the speakers of all folds together, each measured once."""
    run_jobs(
        [Job(f"int8 of {run.parent.name}", partial(_compare_one, run, source)) for run in runs],
        n_processes=n_processes,
        report=report,
    )
    return join_small(runs)


def _compare_one(run: Path, source: Source, count: Count) -> None:
    if not (run / SMALL_FILE).is_file():
        compare_small(run, load_trained(source), on_count=count)
    count(1, 1)


def _slice(folder: Path, actors: Path, calibration: Calibration, *, n_draws: int) -> dict[str, Any]:
    """Write what was found about groups of actors, and return it without its curves."""
    predictions = read_predictions(folder / PREDICTIONS_FILE)
    groups = group_speakers(predictions.speakers.tolist(), read_actors(actors))
    found = measure_slices(predictions, groups, uncertain_below=calibration.uncertain_below, n_draws=n_draws)
    write_slices(found, folder / "slices", title=TITLE)
    # A manifest is no place for curves; slices.json has them.
    whole, *slices = (replace(one, curve=()) for one in (found.whole, *found.slices))
    return asdict(replace(found, whole=whole, slices=tuple(slices)))
