"""Make the model of a plan, step by step: a finished step is never done again; it measures nobody that it has not heard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from training.bundle.encoder import build_encoder
from training.bundle.gate import GATE_COPIES, GATE_SOUNDS, fit_gate
from training.bundle.model_graph import finish_graph
from training.bundle.publish import publish
from training.corpora import LABELS
from training.corpora.votes import VOTES_FILE, read_votes
from training.data.features import cache_features
from training.data.frames import cache_frames
from training.data.views import Source, find_view, load_trained
from training.fitting.jobs import Count, Job, Report, ignore, run_jobs
from training.fitting.mean import ENCODER_FILE, average_runs
from training.fitting.model_plan import ModelPlan, Places, write_model_plan
from training.fitting.tune import TRAINED, TUNED_FILE, tune_fold
from training.nets.whisper import load_encoder


def train_model(plan: ModelPlan, out: Path, *, n_processes: int = 1, report: Report = ignore) -> Path:
    """Make the bundle of a plan. Called again on the same folder, it goes on with the step that was interrupted.

    Args:
        plan: what to do.
        out: folder of the run.
        n_processes: 1 or more.
        report: told of every step how far it is.

    Returns:
        The bundle's folder, `<name>-<version>` inside the run's; one that is there stays as it is.

    Raises:
        FileNotFoundError: the corpus has no votes, and the recipe gives them a share.
        PlanMismatch: the folder holds another run.
        WorkersLost: a process ended abruptly.
        LimitExceeded: the model is not fit to be shipped.
        BundleError, ScoringError: serving would refuse it.
    """
    if plan.recipe.tune.votes:
        read_votes(find_votes(plan), LABELS)  # Now, and not after the quarter of an hour that frames take.
    write_model_plan(plan, out)
    places, source = Places(out), plan.find_source()
    bundle = out / f"{plan.name}-{plan.version}"
    if bundle.exists():
        return bundle
    encoder = Path(plan.encoder)
    cache_all_frames(source, TRAINED, encoder, places.frames, n_processes=n_processes, report=report)
    (tuned,) = tune_all(plan, places, (None,), seeds=plan.recipe.seeds, n_processes=n_processes, report=report)
    prepare_encoder(source, places, tuned, report=report)
    names = (*(copy.name for copy in GATE_COPIES), *GATE_SOUNDS)
    cache_all_features(source, names, places.features, n_processes=n_processes, report=report)
    if not places.gate.is_file():
        report("speech gate", 0, 1)
        fit_gate(places.features, places.gate, seed=plan.seed)
    report("speech gate", 1, 1)
    report("finished graph", 0, 1)
    finish_graph(plan, places, places.graph, source, calibration=plan.recipe.calibration)
    report("finished graph", 1, 1)
    publish(plan, places, bundle, revision=plan.revision)
    return bundle


def cache_all_frames(
    source: Source, names: Iterable[str], encoder: Path, folder: Path, *, n_processes: int, report: Report = ignore
) -> None:
    """Cache the frames of some copies, as many at a time as there are processes; what is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not (folder / f"{name}.npz").exists()]
    jobs = [Job(f"frames of {name}", partial(_hear, source, name, encoder, folder)) for name in missing]
    run_jobs(jobs, n_processes=n_processes, report=report)


def cache_all_features(
    source: Source, names: Iterable[str], folder: Path, *, n_processes: int, report: Report = ignore
) -> None:
    """Cache what the int8 encoder says of some copies, as many at a time as there are processes; what is there stays."""
    missing = [name for name in names if not (folder / f"{name}.npz").exists()]
    model = folder / "encoder-int8.onnx"
    jobs = [Job(f"int8 features of {name}", partial(_encode, source, name, model, folder)) for name in missing]
    run_jobs(jobs, n_processes=n_processes, report=report)


def tune_all(
    plan: ModelPlan,
    places: Places,
    folds: Sequence[int | None],
    *,
    seeds: Sequence[int],
    n_processes: int,
    report: Report = ignore,
) -> list[Path]:
    """Tune once for each fold and seed without the fold's speakers, average each fold's nets, and judge on its speakers.

    Args:
        plan: of the run.
        places: of the run, with the frames of every trained copy and, where a fold is left out, every judged one.
        folds: whose speakers are left out; None leaves out nobody, and nobody judges.
        seeds: of the runs.
        n_processes: so many runs at a time, one thread each.
        report: told how far each is.

    Returns:
        The folders of the averaged nets, one a fold; what is finished stays.
    """
    jobs = [
        Job(f"{_say(fold)}, seed {seed}", partial(_tune, plan, places, fold=fold, seed=seed))
        for fold in folds
        for seed in seeds
    ]
    run_jobs(jobs, n_processes=n_processes, report=report)
    jobs = [Job(f"{_say(fold)}, mean", partial(_average, places, fold=fold, seeds=seeds)) for fold in folds]
    run_jobs(jobs, n_processes=n_processes, report=report)
    return [places.find_mean(fold, seeds) for fold in folds]


def prepare_encoder(source: Source, places: Places, tuned: Path, *, report: Report = ignore) -> None:
    """Export the tuned encoder in float32 and int8, unless it is there."""
    places.features.mkdir(parents=True, exist_ok=True)
    report("encoder in int8", 0, 1)
    build_encoder(tuned / ENCODER_FILE, load_trained(source).utterances, places.features)
    report("encoder in int8", 1, 1)


def find_votes(plan: ModelPlan) -> Path:
    """Return where the listeners' votes of a plan's corpus lie."""
    return Path(plan.crema_d) / VOTES_FILE


def _hear(source: Source, name: str, encoder: Path, folder: Path, count: Count) -> None:
    count(0, 1)  # Decoding the corpus comes first, and has no length to tell.
    view = find_view(source, name)
    windows = view.make()
    cache_frames(windows, load_encoder(encoder), folder / name, on_window=lambda done: count(done, view.n_windows))


def _encode(source: Source, name: str, model: Path, folder: Path, count: Count) -> None:
    count(0, 1)
    cache_features(source, name, model, folder, on_count=count)


def _say(fold: int | None) -> str:
    return "tuning on every speaker" if fold is None else f"tuning without fold {fold}"


def _tune(plan: ModelPlan, places: Places, count: Count, *, fold: int | None, seed: int) -> None:
    count(0, 1)
    out = places.find_run(fold, seed)
    if not (out / TUNED_FILE).is_file():
        tune_fold(
            places.frames,
            Path(plan.encoder),
            out,
            fold=fold,
            seed=seed,
            head_seed=plan.seed,
            recipe=plan.recipe.tune,
            votes=find_votes(plan),
            on_step=count,
        )
    count(1, 1)


def _average(places: Places, count: Count, *, fold: int | None, seeds: Sequence[int]) -> None:
    count(0, 1)
    out = places.find_mean(fold, seeds)
    if not (out / TUNED_FILE).is_file():
        average_runs([places.find_run(fold, seed) for seed in seeds], places.frames, out)
    count(1, 1)
