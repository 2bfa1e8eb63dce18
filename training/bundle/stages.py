"""The last stages of a recipe that ends in a bundle, as steps: int8 encoder, speech gate and graph; and the way through all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from training.bundle.encoder import FLOAT_ENCODER, INT8_ENCODER, export_encoder
from training.bundle.gate import GATE_COPIES, GATE_SOUNDS, fit_shipped_gate
from training.bundle.graph import WAVEFORM, append_part, open_session
from training.bundle.heads import SPEECH, TwoHeads, round_half
from training.bundle.int8 import FLOAT16_MIN_VALUES, store_half
from training.bundle.parity import compare_scores, measure_batch_effect, measure_speed, run_padded
from training.bundle.publish import FACTS_FILE, INT8_GRAPH, publish
from training.corpora import LABELS
from training.corpora.votes import read_votes
from training.data.cached import Encode, cache_windows, load_features
from training.data.copies import CLEAN, make_copy, normalise
from training.data.files import read_json, write_json
from training.data.views import (
    Source,
    find_view,
    identify_kept,
    identify_view,
    load_kept,
    make_calibration,
    name_corpus,
)
from training.fitting.jobs import Count, Report, ignore
from training.fitting.plan import Plan, write_plan
from training.fitting.recipe import Fit
from training.fitting.stages import NetSteps, find_votes
from training.fitting.steps import Step, run_steps
from training.fitting.targets import assign_first_folds
from training.fitting.tuned import ENCODER_FILE, load_head
from training.measures.out_of_fold import encode_labels
from training.nets.heads import make_speech_head
from training.nets.shape import EncoderShape
from training.nets.whisper import N_STATISTICS
from training.sounds.nonspeech import MAKERS, SAMPLING_RATE_HZ, make_sound

STATISTICS = "statistics"
FLOAT_GRAPH, GATE_FILE, COMPARISON_FILE = "model-float32.onnx", "gate.safetensors", "int8.json"
RESULTS_FILE, GRAPH = "results.json", "graph"
FRESH_SEED = 97
CHECK_STEP = 20  # Every twentieth utterance checks the final pair of graphs.


@dataclass(frozen=True)
class BundleSteps(NetSteps):
    """The steps from a plan's nets to its graph."""

    def make_encoder(self) -> Step:
        """Export the tuned encoder in float32 and static int8."""
        tuned = self.average(None, self.plan.stages.tune.seeds)
        shape = self.plan.stages.encoder
        make = partial(_make_encoder, source=self.source, shape=shape)
        return Step("encoder in int8", make, {**identify_kept(self.source), "shape": asdict(shape)}, {"net": tuned})

    def cache_features(self, name: str) -> Step:
        """Play a copy through the int8 encoder: the speech head is fitted on that, so rounding is nothing new to it."""
        make = partial(_cache, source=self.source, name=name)
        return Step(
            f"int8 features of {name}", make, identify_view(self.source, name), {"encoder": self.make_encoder()}
        )

    def fit_gate(self) -> Step:
        """Fit the speech head."""
        names = (*(copy.name for copy in GATE_COPIES), *GATE_SOUNDS)
        recipe, seed, left_out = self.plan.stages.gate, self.plan.seed, self.source.left_out
        needs = {name: self.cache_features(name) for name in names}
        return Step(
            "speech gate",
            partial(_fit_gate, recipe=recipe, seed=seed, left_out=left_out),
            {"seed": seed, "fit": asdict(recipe), "left_out": list(left_out)},
            needs,
        )

    def finish_graph(self) -> Step:
        """Join the encoder and both heads, and measure the whole on speech and on new sounds."""
        stages, seeds = self.plan.stages, self.plan.stages.tune.seeds
        threshold = stages.speech_threshold
        temperature = stages.calibration.temperature
        make = partial(_finish_graph, source=self.source, temperature=temperature, threshold=threshold)
        reads = {"temperature": temperature, "threshold": threshold, "outputs": list(TwoHeads.OUTPUTS)}
        reads["n_fresh"] = stages.amounts.n_fresh
        needs = {"net": self.average(None, seeds), "encoder": self.make_encoder(), "gate": self.fit_gate()}
        return Step("finished graph", make, {**identify_kept(self.source), **reads}, needs)

    def compare_int8(self, fold: int, seeds: tuple[int, ...]) -> Step:
        """Export a fold's net in float32 and int8, and compare both on the speakers that it left out."""
        net, shape = self.average(fold, seeds), self.plan.stages.encoder
        make = partial(_compare, source=self.source, fold=fold, shape=shape)
        return Step(f"int8 of fold {fold}", make, {**identify_kept(self.source), "shape": asdict(shape)}, {"net": net})


def make_model(plan: Plan, out: Path, *, n_processes: int = 1, report: Report = ignore) -> Path:
    """Make the bundle of a plan. Called again on the same folder, it goes on with the step that was interrupted.

    Args:
        plan: with stages.
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
    source = plan.find_source()
    if plan.stages.tune.votes:
        read_votes(find_votes(source), LABELS)  # Now, and not after the quarter of an hour that frames take.
    write_plan(plan, out)
    bundle = out / f"{plan.name}-{plan.version}"
    if bundle.exists():
        return bundle
    steps, root = BundleSteps(plan, source), plan.find_steps(out)
    # All copies first: they are independent, so that no process waits.
    run_steps(
        [steps.cache_frames(name) for name in plan.stages.tune.copies], root, n_processes=n_processes, report=report
    )
    graph = steps.finish_graph()
    run_steps([graph], root, n_processes=n_processes, report=report)
    note_results(out, {GRAPH: graph.find(root)})
    publish(plan, graph.find(root), bundle, revision=plan.revision)
    return bundle


def note_results(folder: Path, results: Mapping[str, Path]) -> None:
    """Write down which steps' folders are the results, so that nobody needs corpora and keys to find them again."""
    write_json(folder / RESULTS_FILE, {name: path.name for name, path in results.items()})


def find_result(plan: Plan, out: Path, folder: Path, name: str) -> Path:
    """Return the folder of a result that `note_results` wrote down in a folder of a run, itself or one inside it.

    Raises:
        FileNotFoundError: the run was not trained to its end.
    """
    if not (folder / RESULTS_FILE).is_file():
        raise FileNotFoundError(
            f"{out} was not trained to its end; `tonalog train --resume --out {out}` goes on with it"
        )
    return plan.find_steps(out) / str(read_json(folder / RESULTS_FILE)[name])


def encode_with(session: Any) -> Encode:
    """Return a function from a signal to what an exported encoder pools of it."""
    return lambda signal: (session.run([STATISTICS], {WAVEFORM: signal[None]})[0][0], None)


def load_gate(source: Path) -> Any:
    """Return the speech head of a step's folder, in evaluation mode."""
    head = make_speech_head(np.zeros((2, N_STATISTICS), dtype=np.float32))
    head.load_state_dict(load_file(source / GATE_FILE))
    return head.eval().requires_grad_(requires_grad=False)


def _make_encoder(needs: Mapping[str, Path], out: Path, _: Count, *, source: Source, shape: EncoderShape) -> None:
    calibration = make_calibration(load_kept(source).utterances)
    export_encoder(needs["net"] / ENCODER_FILE, calibration, out, shape=shape)


def _cache(needs: Mapping[str, Path], out: Path, count: Count, *, source: Source, name: str) -> None:
    view, session = find_view(source, name), open_session(needs["encoder"] / INT8_ENCODER)
    cache_windows(view.make(), encode_with(session), out, on_window=lambda done: count(done, view.n_windows))


def _fit_gate(
    needs: Mapping[str, Path], out: Path, _: Count, *, recipe: Fit, seed: int, left_out: tuple[str, ...]
) -> None:
    views = {name: load_features(folder) for name, folder in needs.items()}
    head = fit_shipped_gate(
        views, seed=seed, recipe=recipe, is_kept=lambda speaker: name_corpus(speaker) not in left_out
    )
    save_file(head.state_dict(), out / GATE_FILE)


def _finish_graph(
    needs: Mapping[str, Path], out: Path, _: Count, *, source: Source, temperature: float, threshold: float
) -> None:
    heads = TwoHeads(load_head(needs["net"]), load_gate(needs["gate"]), temperature=temperature)
    join_heads(needs["encoder"], heads, out)
    corpus = load_kept(source)
    rated = tuple(utterance for utterance in corpus.utterances if not utterance.is_assumed)
    windows = list(make_copy(rated[::CHECK_STEP], CLEAN))
    final = check_pair(out, [window.signal for window in windows], encode_labels(np.array([w.kind for w in windows])))
    accepted = check_sounds(out / INT8_GRAPH, threshold, n_fresh=source.amounts.n_fresh)
    defects = [f"{defect.name} ({defect.reason})" for defect in corpus.defects]
    write_json(out / FACTS_FILE, {"final": {**final, "false_accept": accepted}, "defects": defects})


def join_heads(encoder: Path, heads: TwoHeads, out: Path) -> None:
    """Write the graphs of an exported encoder with heads behind it, in float32 and in int8.

    Large weights of the heads are rounded to half precision in both, and stored so in the second.
    """
    example = {STATISTICS: torch.zeros(2, N_STATISTICS)}
    round_half(heads, min_values=FLOAT16_MIN_VALUES)
    for part, whole in ((FLOAT_ENCODER, FLOAT_GRAPH), (INT8_ENCODER, INT8_GRAPH)):
        append_part(encoder / part, heads, out / whole, prefix="heads", inputs=example, outputs=heads.OUTPUTS)
    small = onnx.load(out / INT8_GRAPH)
    store_half(small.graph)
    (out / INT8_GRAPH).write_bytes(small.SerializeToString())


def check_pair(folder: Path, windows: list[NDArray[np.float32]], truth: NDArray[np.int64]) -> dict[str, Any]:
    """Compare the finished graph with the same heads on the float32 encoder, as serving runs them.

    Args:
        folder: of both graphs.
        windows: float32 (n_samples,) each, at most 8 s.
        truth: int64 (n_windows,).
    """
    sessions = {"float32": open_session(folder / FLOAT_GRAPH), "int8": open_session(folder / INT8_GRAPH)}
    scored = {name: run_padded(session, windows, ["probabilities", SPEECH]) for name, session in sessions.items()}
    (exact, exact_speech), (small, small_speech) = scored["float32"], scored["int8"]
    result = compare_scores(exact, small, truth)
    return {
        "n_windows": len(windows),
        "ua_change_on_training_windows": round(result.ua_int8 - result.ua_float32, 4),
        "max_dp": round(result.max_probability_change, 4),
        "max_dspeech": round(float(np.abs(small_speech - exact_speech).max()), 4),
        "lowest_speech": round(float(small_speech.min()), 4),
        "batch_effect": measure_batch_effect(sessions["int8"]),
        "ms": {name: [round(wall, 1), round(cpu, 1)] for name, (wall, cpu) in measure_speed(sessions).items()},
        "megabytes": round((folder / INT8_GRAPH).stat().st_size / 1e6, 2),
    }


def check_sounds(small: Path, threshold: float, *, n_fresh: int) -> dict[str, float]:
    """Return the share of freshly seeded sounds that the finished graph accepts, by kind."""
    session = open_session(small)
    accepted: dict[str, float] = {}
    for index, kind in enumerate(sorted(MAKERS)):
        windows = []
        for turn in range(n_fresh):
            rng = np.random.default_rng([FRESH_SEED, index, turn])
            windows.append(normalise(make_sound(kind, int(rng.uniform(1.0, 8.0) * SAMPLING_RATE_HZ), rng)))
        accepted[kind] = float((run_padded(session, windows, [SPEECH])[0] >= threshold).mean())
    return accepted


def _compare(
    needs: Mapping[str, Path], out: Path, count: Count, *, source: Source, fold: int, shape: EncoderShape
) -> None:
    utterances = load_kept(source).utterances
    folds = assign_first_folds(utterance.speaker for utterance in utterances)
    trained = tuple(u for u in utterances if folds.get(u.speaker) != fold)
    left_out = tuple(u for u in utterances if folds.get(u.speaker) == fold)
    graphs = export_encoder(needs["net"] / ENCODER_FILE, make_calibration(trained), out, shape=shape)
    encoders = [encode_with(open_session(path)) for path in graphs]
    statistics: list[list[Any]] = []
    kinds = []
    for window in make_copy(left_out, CLEAN):
        kinds.append(window.kind)
        statistics.append([encode(window.signal)[0] for encode in encoders])
        count(len(kinds), len(left_out))
    head = load_head(needs["net"])
    exact, small = (
        torch.softmax(head(torch.from_numpy(np.stack(rows))).double(), dim=1).numpy()
        for rows in zip(*statistics, strict=True)
    )
    result = compare_scores(exact, small, encode_labels(np.array(kinds)))
    write_json(out / COMPARISON_FILE, {"fold": fold, **asdict(result)})
