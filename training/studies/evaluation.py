"""Measure a run with stages on speakers and sounds that its nets were not trained on; every figure of its card comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.bundle.gate import GATE_SOUNDS, GATE_VIEWS, cross_validate_gate
from training.bundle.publish import FACTS_FILE, publish
from training.bundle.stages import GRAPH, BundleSteps, find_result, note_results
from training.corpora import find_layout
from training.corpora.layouts.listed_sets import EVERYDAY
from training.data.cached import load_features
from training.data.copies import CLEAN
from training.data.files import read_json, write_json
from training.fitting.jobs import Report, ignore
from training.fitting.plan import Plan
from training.fitting.recipe import Calibration
from training.fitting.steps import run_steps
from training.fitting.tuned import list_copies
from training.measures.predictions import read_predictions
from training.measures.slices import group_speakers, measure_slices, read_actors
from training.measures.slices.writing import write_slices
from training.protocols.folds import MIN_FOLDS, N_FOLDS
from training.studies.dimensions import measure_dimensions
from training.studies.elsewhere import judge_elsewhere, measure_baseline
from training.studies.folds import PREDICTIONS_FILE, join_comparisons, sum_up
from trends import write_baseline

ACTORS_FILE = "VideoDemographics.csv"
EVALUATION_FOLDER, FIGURES_FILE, ELSEWHERE_FOLDER = "evaluation", "figures.json", "elsewhere"
# In the names of results, before the fold or the corpora.
NET, INT8, WITHOUT = "net without fold", "int8 without fold", "net without"


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Attributes:
        folds: whose speakers are left out, each by runs of its own.
        seeds: of those runs; the mean of as many is judged.
        actors: CREMA-D's table of actors.
        judged: labelled corpora that the run did not train on, by layout, with their folders.
    """

    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    actors: Path
    judged: tuple[tuple[str, Path], ...] = ()


def check_request(steps: BundleSteps, out: Path, request: Request) -> None:
    """Refuse what could not be evaluated to its end, before an hour is spent on it.

    Raises:
        ValueError: a fold is not there, there are under two, the table of actors lacks a column, or a judged corpus is unknown or
            nobody rated it.
        FileNotFoundError: the run was not trained to its end, or there is no table of actors or a judged corpus.
    """
    folds = request.folds
    if len(set(folds)) < MIN_FOLDS or not set(folds) <= set(range(N_FOLDS)):
        raise ValueError(f"folds {sorted(folds)}, allowed are {MIN_FOLDS} or more different ones of 0 to {N_FOLDS - 1}")
    find_result(steps.plan, out, out, GRAPH)
    if not request.actors.is_file():
        raise FileNotFoundError(f"{request.actors} is not there; --actors FILE says where CREMA-D's {ACTORS_FILE} is")
    read_actors(request.actors)
    for name, root in request.judged:
        if name in EVERYDAY:
            raise ValueError(f"{name} is ordinary speech that nobody rated; `tonalog evaluate left-out` judges it")
        if not find_layout(name).read(root).utterances:
            raise FileNotFoundError(f"{root} holds nothing of {name}")


def evaluate_model(
    plan: Plan,
    out: Path,
    folders: Mapping[str, str],
    request: Request,
    *,
    n_processes: int = 1,
    report: Report = ignore,
) -> dict[str, Any]:
    """Measure everything that the model card tells. Called again, it goes on where it was interrupted.

    Args:
        plan: of the run, trained to its end.
        out: folder of the run.
        folders: of corpora that have moved, by layout.
        request: what is to be measured.
        n_processes: so many steps at a time.
        report: told of every step how far it is.

    Returns:
        What `figures.json` holds: evaluation, dimensions, int8, gate, final, defects, slices, baseline and elsewhere.

    Raises:
        ValueError, FileNotFoundError: as `check_request`.
        WorkersLost: a process ended abruptly.
    """
    steps, root, folder = BundleSteps(plan, plan.find_source(folders)), plan.find_steps(out), out / EVALUATION_FOLDER
    check_request(steps, out, request)
    folds, seeds = sorted(set(request.folds)), tuple(sorted(set(request.seeds)))
    parallel: dict[str, Any] = {"n_processes": n_processes, "report": report}
    found = _make_nets(steps, root, folds, seeds, **parallel)
    without = {name: found[f"{WITHOUT} {name}"] for name in list_rated(plan)}
    halves = [found[f"{WITHOUT} {half}"] for half in halve_ordinary(plan)]
    calibration, graph = plan.stages.calibration, find_result(plan, out, out, GRAPH)
    runs, compared = ([found[f"{kind} {fold}"] for fold in folds] for kind in (NET, INT8))
    evaluation = sum_up(runs, folder, calibration=calibration, without=without, ordinary=halves)
    baseline = measure_baseline(read_predictions(folder / PREDICTIONS_FILE), calibration)
    bundle, elsewhere = out / f"{plan.name}-{plan.version}", folder / ELSEWHERE_FOLDER
    figures = {
        "evaluation": evaluation,
        "dimensions": measure_dimensions(steps, without, folder / PREDICTIONS_FILE, calibration.temperature),
        "int8": join_comparisons(compared),
        "gate": _judge_gate(steps, root, **parallel),
        **read_json(graph / FACTS_FILE),
        "slices": _slice(folder, request.actors, calibration, n_draws=plan.stages.amounts.n_draws),
        "baseline": write_baseline(baseline),
        "elsewhere": judge_elsewhere(bundle, request.judged, baseline, folder=elsewhere, **parallel),
    }
    note_results(folder, {CLEAN.name: steps.cache_frames(CLEAN.name).find(root), **found})
    write_json(folder / FIGURES_FILE, figures)
    return figures


def _make_nets(
    steps: BundleSteps, root: Path, folds: list[int], seeds: tuple[int, ...], **parallel: Any
) -> dict[str, Path]:
    """Return the folder of every net that leaves somebody out and of each fold's int8, all made at once so that no process waits."""
    copies = list_copies(steps.plan.stages.tune.copies, folds[0])
    run_steps([steps.cache_frames(name) for name in copies], root, **parallel)
    wanted = {
        **{f"{NET} {fold}": steps.average(fold, seeds) for fold in folds},
        **{f"{INT8} {fold}": steps.compare_int8(fold, seeds) for fold in folds},
        **{f"{WITHOUT} {name}": steps.average((name,), seeds) for name in list_rated(steps.plan)},
        **{f"{WITHOUT} {half}": steps.average(half, seeds) for half in halve_ordinary(steps.plan)},
    }
    return dict(zip(wanted, run_steps([*wanted.values()], root, **parallel), strict=True))


def read_figures(out: Path) -> dict[str, Any] | None:
    """Return what `tonalog evaluate default` measured of a run, or None where it has not."""
    source = out / EVALUATION_FOLDER / FIGURES_FILE
    return read_json(source) if source.is_file() else None


def publish_run(plan: Plan, out: Path, target: Path, *, revision: str) -> bool:
    """Write the bundle of a run, with what was measured of it where something was.

    Args:
        plan: of the run, with the bundle's name and version.
        out: folder of the run, trained to its end.
        target: the bundle's folder, which must not be there yet.
        revision: of the code that measured and wrote it.

    Returns:
        Whether it was evaluated.

    Raises:
        FileNotFoundError: the run was not trained to its end.
        FileExistsError, LimitExceeded, BundleError, ScoringError: as `training.bundle.publish.publish`.
    """
    figures = read_figures(out)
    publish(plan, find_result(plan, out, out, GRAPH), target, revision=revision, figures=figures)
    return figures is not None


def _judge_gate(steps: BundleSteps, root: Path, **parallel: Any) -> dict[str, Any]:
    names = (*GATE_VIEWS, *GATE_SOUNDS)
    cached = run_steps([steps.cache_features(name) for name in names], root, **parallel)
    views = {name: load_features(folder) for name, folder in zip(names, cached, strict=True)}
    return cross_validate_gate(views, steps.plan.stages.speech_threshold, recipe=steps.plan.stages.gate)


def halve_ordinary(plan: Plan) -> list[tuple[str, ...]]:
    """Return the sets of ordinary speech that a run trained on as two halves; nets without one half say how it is called unheard."""
    names = [name for name in plan.trained if name in EVERYDAY]
    return [tuple(names[first::2]) for first in (0, 1) if names[first::2]]


def list_rated(plan: Plan) -> list[str]:
    """Return the further corpora that somebody rated; leaving one out shows how a net does on a corpus it was not tuned on."""
    return [name for name in plan.trained[1:] if name not in EVERYDAY]


def _slice(folder: Path, actors: Path, calibration: Calibration, *, n_draws: int) -> dict[str, Any]:
    """Write what was found about groups of actors, and return it."""
    predictions = read_predictions(folder / PREDICTIONS_FILE)
    groups = group_speakers(predictions.speakers.tolist(), read_actors(actors))
    result = measure_slices(predictions, groups, uncertain_below=calibration.uncertain_below, n_draws=n_draws)
    write_slices(result, folder / "slices")
    return asdict(result)
