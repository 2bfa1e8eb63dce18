"""Measure a run with stages on speakers and sounds that its nets were not trained on; every figure of its card comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.bundle.gate import GATE_SOUNDS, GATE_VIEWS, cross_validate_gate
from training.bundle.publish import FACTS_FILE, publish
from training.bundle.stages import GRAPH, BundleSteps, find_result, note_results
from training.corpora import LABELS, find_layout
from training.corpora.layouts.listed_sets import EVERYDAY
from training.corpora.votes import read_votes
from training.data.cached import load_features
from training.data.copies import CLEAN
from training.data.files import read_json, write_json
from training.fitting.jobs import Report, ignore
from training.fitting.plan import Plan
from training.fitting.recipe import Calibration
from training.fitting.stages import find_votes
from training.fitting.steps import run_steps
from training.fitting.tuned import list_copies
from training.measures.predictions import read_predictions
from training.measures.slices import group_speakers, measure_slices, read_actors
from training.measures.slices.writing import write_slices
from training.measures.validity import Validity, judge_labels, judge_votes
from training.protocols.folds import MIN_FOLDS, N_FOLDS
from training.studies.folds import PREDICTIONS_FILE, join_comparisons, read_left_out, sum_up

ACTORS_FILE = "VideoDemographics.csv"
EVALUATION_FOLDER, FIGURES_FILE = "evaluation", "figures.json"
NET, INT8 = "net without fold", "int8 without fold"  # In the names of results, before the fold.
CREMA_D, LEFT_OUT = "CREMA-D, out of fold", "left out"


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Attributes:
        folds: whose speakers are left out, each by runs of its own.
        seeds: of those runs; the mean of as many is judged.
        actors: CREMA-D's table of actors.
    """

    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    actors: Path


def check_request(steps: BundleSteps, out: Path, request: Request) -> None:
    """Refuse what could not be evaluated to its end, before an hour is spent on it.

    Raises:
        ValueError: a fold is not there, there are under two, or the table of actors lacks a column.
        FileNotFoundError: the run was not trained to its end, or there is no table of actors.
    """
    folds = request.folds
    if len(set(folds)) < MIN_FOLDS or not set(folds) <= set(range(N_FOLDS)):
        raise ValueError(f"folds {sorted(folds)}, allowed are {MIN_FOLDS} or more different ones of 0 to {N_FOLDS - 1}")
    find_result(steps.plan, out, out, GRAPH)
    if not request.actors.is_file():
        raise FileNotFoundError(f"{request.actors} is not there; --actors FILE says where CREMA-D's {ACTORS_FILE} is")
    read_actors(request.actors)


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
        What `figures.json` holds: evaluation, dimensions, int8, gate, final, defects and slices.

    Raises:
        ValueError, FileNotFoundError: as `check_request`.
        WorkersLost: a process ended abruptly.
    """
    steps, root, folder = BundleSteps(plan, plan.find_source(folders)), plan.find_steps(out), out / EVALUATION_FOLDER
    check_request(steps, out, request)
    folds, seeds = sorted(set(request.folds)), tuple(sorted(set(request.seeds)))
    parallel: dict[str, Any] = {"n_processes": n_processes, "report": report}
    copies = list_copies(plan.stages.tune.copies, folds[0])
    run_steps([steps.cache_frames(name) for name in copies], root, **parallel)
    runs = run_steps([steps.average(fold, seeds) for fold in folds], root, **parallel)
    compared = run_steps([steps.compare_int8(fold, seeds) for fold in folds], root, **parallel)
    without = {name: steps.average(name, seeds) for name in list_rated(plan)}
    nets = dict(zip(without, run_steps([*without.values()], root, **parallel), strict=True))
    evaluation = sum_up(runs, folder, without=nets)
    calibration = read_calibration(evaluation)
    (graph,) = run_steps([steps.finish_graph(calibration)], root, **parallel)
    figures = {
        "evaluation": evaluation,
        "dimensions": measure_dimensions(steps, nets, folder / PREDICTIONS_FILE, calibration.temperature),
        "int8": join_comparisons(compared),
        "gate": _judge_gate(steps, root, **parallel),
        **read_json(graph / FACTS_FILE),
        "slices": _slice(folder, request.actors, calibration, n_draws=plan.stages.amounts.n_draws),
    }
    by_fold = {
        f"{kind} {fold}": path
        for kind, paths in ((NET, runs), (INT8, compared))
        for fold, path in zip(folds, paths, strict=True)
    }
    note_results(folder, {GRAPH: graph, CLEAN.name: steps.cache_frames(CLEAN.name).find(root), **by_fold})
    write_json(folder / FIGURES_FILE, figures)
    return figures


def read_calibration(evaluation: Mapping[str, Any]) -> Calibration:
    """Return the calibration that an evaluation found."""
    return Calibration(*(evaluation["calibration"][name] for name in ("temperature", "uncertain_below")))


def read_figures(out: Path) -> dict[str, Any] | None:
    """Return what `tonalog evaluate default` measured of a run, or None where it has not."""
    source = out / EVALUATION_FOLDER / FIGURES_FILE
    return read_json(source) if source.is_file() else None


def publish_run(plan: Plan, out: Path, target: Path, *, revision: str) -> bool:
    """Write the bundle of a run: as it was evaluated, or at the recipe's calibration where it was not.

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
    calibration = plan.stages.calibration if figures is None else read_calibration(figures["evaluation"])
    graph = find_result(plan, out, out if figures is None else out / EVALUATION_FOLDER, GRAPH)
    publish(plan, graph, target, calibration=calibration, revision=revision, figures=figures)
    return figures is not None


def _judge_gate(steps: BundleSteps, root: Path, **parallel: Any) -> dict[str, Any]:
    names = (*GATE_VIEWS, *GATE_SOUNDS)
    cached = run_steps([steps.cache_features(name) for name in names], root, **parallel)
    views = {name: load_features(folder) for name, folder in zip(names, cached, strict=True)}
    return cross_validate_gate(views, steps.plan.stages.speech_threshold, recipe=steps.plan.stages.gate)


def list_rated(plan: Plan) -> list[str]:
    """Return the further corpora that somebody rated; leaving one out shows how a net does on a corpus it was not tuned on."""
    return [name for name in plan.trained[1:] if name not in EVERYDAY]


def measure_dimensions(
    steps: BundleSteps, nets: Mapping[str, Path], predictions: Path, temperature: float
) -> list[dict[str, Any]]:
    """Return each measure of arousal and valence with corpus, utterances, value and interval of 95 %, drawing whole speakers.

    Args:
        steps: of the run, whose first corpus has the listeners' votes; without them their rows are left out.
        nets: folders of averaged nets by the further corpus that each was tuned without.
        predictions: CSV of CREMA-D out of fold, at this temperature.
        temperature: over 0, as the finished graph has it.

    Raises:
        FileNotFoundError: there are no votes, and the recipe gives them a share.
        ValueError: the votes lack a column, or no utterance has any.
    """
    known = read_predictions(predictions)
    result = [_describe(CREMA_D, item) for item in judge_labels(known)]
    votes = find_votes(steps.source)
    if steps.plan.stages.tune.votes or votes.is_file():
        result += [_describe(CREMA_D, item) for item in judge_votes(known, read_votes(votes, LABELS))]
    for name, net in nets.items():
        corpus = f"{find_layout(name).title}, {LEFT_OUT}"
        result += [_describe(corpus, item) for item in judge_labels(read_left_out(net, temperature))]
    return result


def _describe(corpus: str, item: Validity) -> dict[str, Any]:
    value, low, high = (round(number, 4) for number in (item.value, item.interval.low, item.interval.high))
    return {
        "measure": item.name,
        "corpus": corpus,
        "n_utterances": item.n_rows,
        "value": value,
        "low": low,
        "high": high,
    }


def _slice(folder: Path, actors: Path, calibration: Calibration, *, n_draws: int) -> dict[str, Any]:
    """Write what was found about groups of actors, and return it."""
    predictions = read_predictions(folder / PREDICTIONS_FILE)
    groups = group_speakers(predictions.speakers.tolist(), read_actors(actors))
    result = measure_slices(predictions, groups, uncertain_below=calibration.uncertain_below, n_draws=n_draws)
    write_slices(result, folder / "slices")
    return asdict(result)
