"""Judge bundles on corpora that they were not trained on: score what is not scored yet, and measure each bundle by one protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.measures import write_predictions
from training.studies.left_out.baseline import KnownBaseline, measure_known, read_known
from training.studies.left_out.calibrate import CalibrationReport, calibrate
from training.studies.left_out.corpora import ReadCorpus, read_corpus
from training.studies.left_out.figures import LabelledFigures, OrdinaryFigures
from training.studies.left_out.measure import measure_labelled, measure_ordinary
from training.studies.left_out.scored import ScoredCorpus, join_scores
from training.studies.left_out.scores import Task, score_files
from training.studies.left_out.trained import list_trained, resolve_trained, simplify_name
from worker.scoring.bundle import Bundle, load_bundle

CACHE = "cache"
N_DRAWS = 3
OnProgress = Callable[[str, int, int | None], None]
PROTOCOL = (
    "protocol: left out 1. Every recording is scored as serving does (decoder, voice activity detector, windows, speech gate, pooling; on "
    "the CPU). Labelled corpora: a recording without scores counts as wrong in UAR and recalls, and "
    "not at all in UAR of scored; intervals draw speakers; own baselines are of 10 notes, 70 % "
    "neutral, without a tenant, by the middle mix (version 1) and by the rule of the bundle's manifest; ECE is of what has scores; coverage is what is labelled at `uncertain_below` or "
    "above, error the share of it that is wrong. Ordinary speech is assumed to be neutral and has no part in any recall; shares are of what has "
    "scores, those without scores of all; words are recordings of 0.4 to 1.2 s; VAD is no speech found, min_speech less "
    "than the manifest's min_speech_ms of it, gate speech that the speech gate turned away. Mean and worst are over what a bundle was not trained on."
)


@dataclass(frozen=True)
class Plan:
    """What to judge, and on what.

    Attributes:
        bundles: folders, at least one.
        corpora: name and folder of each corpus, at least one.
        folder: for scores, files of predictions and tables.
        reference: name and folder of the corpus of training whose mean log scores a baseline is held against, for bundles whose manifest has
            no `baseline`; None for no baseline of those.
        trained: names or titles of corpora that the bundles were trained on, beside those in their manifests.
        max_error: bound of the calibration; None for no calibration.
        n_processes: that score, 1 or more.
        baseline: reference and rule of bundles whose manifest has none, in place of `reference`.
    """

    bundles: tuple[Path, ...]
    corpora: tuple[tuple[str, Path], ...]
    folder: Path
    reference: tuple[str, Path] | None = None
    trained: tuple[str, ...] = ()
    max_error: float | None = None
    n_processes: int = 2
    baseline: KnownBaseline | None = None


@dataclass(frozen=True)
class JudgedBundle:
    """Figures of one bundle.

    Attributes:
        name: of the model, with its version.
        folder: of the bundle.
        sha256: of the bundle.
        uncertain_below: of its manifest.
        trained_on: corpora, as its manifest and the caller name them.
        baseline: reference and rules of own baselines; None where neither its manifest nor the caller has a reference.
        labelled: figures of each labelled corpus.
        ordinary: figures of each set of ordinary speech.
        n_unjudged: rated recordings of each set of ordinary speech that are too few to be judged.
        calibration: None where none was asked for.
    """

    name: str
    folder: str
    sha256: str
    uncertain_below: float
    trained_on: tuple[str, ...]
    baseline: KnownBaseline | None
    labelled: tuple[LabelledFigures, ...]
    ordinary: tuple[OrdinaryFigures, ...]
    n_unjudged: dict[str, int]
    calibration: CalibrationReport | None


def judge(plan: Plan, *, on_progress: OnProgress = lambda _what, _done, _total: None) -> list[JudgedBundle]:
    """Judge every bundle; whatever is scored already is not scored again.

    Args:
        plan: what to do.
        on_progress: told what goes on, how much of it is done, and of how much where that is known.

    Raises:
        BundleError: a bundle cannot be loaded or fails.
        FileNotFoundError: a corpus is not in its folder.
        ValueError: a corpus is unknown, empty or another one than it is called, or a bundle cannot be measured on it.
        WorkersLost: a process that scored ended abruptly.
    """
    bundles = [load_bundle(folder) for folder in plan.bundles]
    read = [_read(name, root, plan, on_progress) for name, root in plan.corpora]
    titles = [one.corpus.name for one in read]
    if len(set(titles)) != len(titles):
        raise ValueError(f"corpora {', '.join(titles)}; allowed is each corpus once")
    is_lacking = any(bundle.manifest.baseline is None for bundle in bundles)
    reference = _read(*plan.reference, plan, on_progress) if plan.reference is not None and is_lacking else None
    named = resolve_trained(plan.trained, plan.corpora, read)
    judged = []
    for bundle in bundles:
        baseline = _find_baseline(bundle, reference, plan, on_progress)
        scored = _score(bundle, read, plan, named, on_progress)
        n_unjudged = {
            one.corpus.name: len(one.corpus.utterances) - n_judged
            for one, parts in zip(read, scored, strict=True)
            if (n_judged := sum(len(part.notes) for part in parts)) < len(one.corpus.utterances)
        }
        parts = [part for parts in scored for part in parts]
        judged.append(_measure(bundle, parts, baseline, plan=plan, named=named, n_unjudged=n_unjudged))
    return judged


def _find_baseline(
    bundle: Bundle, reference: ReadCorpus | None, plan: Plan, on_progress: OnProgress
) -> KnownBaseline | None:
    """Return what the manifest says; else what the caller knows, or the bundle's scores of the reference where there is one."""
    known = read_known(bundle) or plan.baseline
    if known is not None or reference is None:
        return known
    (parts,) = _score(bundle, [reference], plan, (), on_progress)
    known = measure_known(parts[0])
    _write_scores(bundle, parts[0], plan.folder)
    return known


def _read(name: str, root: Path, plan: Plan, on_progress: OnProgress) -> ReadCorpus:
    n_read = 0

    def count(*_: object) -> None:
        nonlocal n_read
        n_read += 1
        on_progress(f"reading {name}", n_read, None)

    return read_corpus(name, root, folder=plan.folder / CACHE, on_sound=count)


def _score(
    bundle: Bundle, read: Sequence[ReadCorpus], plan: Plan, named: Sequence[str], on_progress: OnProgress
) -> list[list[ScoredCorpus]]:
    labels, trained = bundle.manifest.labels, set(map(simplify_name, (*list_trained(bundle), *named)))
    tasks = [
        Task(one.path, sha256)
        for part in read
        for one, sha256 in zip(part.corpus.utterances, part.file_hashes, strict=True)
    ]
    n_tasks = len({task.sha256 for task in tasks})
    what = f"scoring with {_name(bundle)}"
    notes = score_files(
        bundle,
        tasks,
        folder=plan.folder / CACHE,
        n_processes=plan.n_processes,
        on_scored=lambda n_done: on_progress(what, n_done, n_tasks),
    )
    return [
        join_scores(part, notes, labels=labels, is_trained=simplify_name(part.corpus.name) in trained) for part in read
    ]


def _measure(
    bundle: Bundle,
    scored: Sequence[ScoredCorpus],
    baseline: KnownBaseline | None,
    *,
    plan: Plan,
    named: Sequence[str],
    n_unjudged: dict[str, int],
) -> JudgedBundle:
    limit = bundle.manifest.uncertain_below
    rated = [one for one in scored if not one.is_assumed]
    for one in rated:
        _write_scores(bundle, one, plan.folder)
    left_out = [one for one in scored if not one.is_trained]
    return JudgedBundle(
        name=_name(bundle),
        folder=str(bundle.folder),
        sha256=bundle.sha256,
        uncertain_below=limit,
        trained_on=tuple(dict.fromkeys((*list_trained(bundle), *named))),
        baseline=baseline,
        labelled=tuple(
            measure_labelled(one, uncertain_below=limit, baseline=baseline, n_draws=N_DRAWS) for one in rated
        ),
        ordinary=tuple(measure_ordinary(one, uncertain_below=limit) for one in scored if one.is_assumed),
        n_unjudged=n_unjudged,
        calibration=None if plan.max_error is None else calibrate(left_out, max_error=plan.max_error),
    )


def _write_scores(bundle: Bundle, scored: ScoredCorpus, folder: Path) -> None:
    """Write what `tonalog evaluate personal` reads: OUT/NAME-VERSION-HASH/CORPUS.csv."""
    if not scored.is_scored.any():
        return
    manifest = bundle.manifest
    target = folder / f"{manifest.name}-{manifest.version}-{bundle.sha256[:12]}"
    target.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9_.-]", "-", scored.name.lower())
    write_predictions(scored.as_predictions(), target / f"{name}.csv")


def _name(bundle: Bundle) -> str:
    return f"{bundle.manifest.name} {bundle.manifest.version}"
