"""The speech gate of an exported bundle: fitted on what its int8 graph makes of speech and of sounds, and judged; it looks at no emotion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.bundle.gate import score_speech, split_kinds
from training.bundle.join import POOLED
from training.data.copies import make_nonspeech
from training.data.features import open_session
from training.data.windows import MIN_BATCH_SAMPLES, WindowSet
from training.nets.heads import SPEECH_RECIPE, fit_head, make_speech_head, seed_torch
from training.protocols.folds import N_FOLDS, assign_folds
from training.sounds.augment import Chain, distort
from training.sounds.nonspeech import MAKERS
from worker.audio.frontend import prepare
from worker.scoring.onnx_runtime import ort

Statistics = NDArray[np.float32]
SOUND_SEED, SPEECH_SEED = 61, 62
MAX_JOINED = 3
MIN_STEPS = 400  # The default model's gate takes over a thousand, from ten times the windows.
# As the sounds' own: a telephone, a codec or noise must be no cue.
SPEECH_CHAIN = Chain(noise=0.4, equaliser=0.4, telephone=0.15, opus=0.4)


@dataclass(frozen=True)
class GateRecipe:
    """How a speech gate is fitted, and how good it must be to be shipped.

    Attributes:
        n_speech: training windows of speech at most; every second one is joined and distorted.
        per_kind: synthesised sounds of each kind.
        threshold: probability of speech from which a window is believed, 0 to 1.
        max_missed: share of held-out speech that may be turned away, 0 to 1.
        max_accepted: share of sounds of kinds that were not learnt from that may pass, 0 to 1.
        seed: of the head.
    """

    n_speech: int = 1000
    per_kind: int = 60
    threshold: float = 0.5
    max_missed: float = 0.01
    max_accepted: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: a value is out of range; the message names it and what was allowed.
        """
        # Every fifth sound of a kind is left out of a fold, and one must be left.
        for name, lowest in (("n_speech", 1), ("per_kind", 2)):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are {lowest} and more")
        for name in ("threshold", "max_missed", "max_accepted"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed are 0 to 1")


@dataclass(frozen=True)
class JudgedGate:
    """What a speech gate does, and whether it is good enough.

    Attributes:
        threshold: it was judged at.
        n_speech, n_sounds: windows that it was fitted on.
        n_held_out: windows of speech that it was judged on, of nobody it was fitted on.
        missed: share of them that it turns away.
        accepted: share of the sounds that it lets pass, by kind, each by a gate that never heard the kind.
        refused: why it is not shipped; None where it is.
    """

    threshold: float
    n_speech: int
    n_sounds: int
    n_held_out: int
    missed: float
    accepted: dict[str, float]
    refused: str | None

    @property
    def mean_accepted(self) -> float:
        """Share of sounds of unheard kinds that pass, the mean over kinds."""
        return float(np.mean(list(self.accepted.values())))

    def as_dict(self) -> dict[str, Any]:
        """Return every figure, rounded, as JSON can hold it."""
        return {
            "threshold": self.threshold,
            "n_speech": self.n_speech,
            "n_sounds": self.n_sounds,
            "n_held_out": self.n_held_out,
            "miss": {"held-out": round(self.missed, 4)},
            "false_accept": {f"{kind}/unseen kind": round(share, 4) for kind, share in self.accepted.items()},
            "mean_false_accept": round(self.mean_accepted, 4),
            "left_out": self.refused,
        }


def make_speech(windows: WindowSet, n_windows: int) -> Iterator[Statistics]:
    """Yield windows of speech spread evenly over a set, every second one joined from several recordings and distorted."""
    rows = np.unique(np.linspace(0, len(windows) - 1, min(n_windows, len(windows))).astype(int))
    for turn, row in enumerate(rows.tolist()):
        if turn % 2 == 0:
            yield windows.take_window(row)
            continue
        rng = np.random.default_rng([SPEECH_SEED, row])
        others = rng.integers(len(windows), size=int(rng.integers(MAX_JOINED)))
        paths = [windows.utterances[int(one)].path for one in (row, *others)]
        joined = np.concatenate([windows.store.read(path) for path in paths])
        yield windows.store.cut(distort(joined, SPEECH_CHAIN, rng))


def pool_windows(session: ort.InferenceSession, windows: Iterator[Statistics]) -> Statistics:
    """Return what a graph pools of each window, float32 (n_windows, n_pooled)."""
    rows = []
    for window in windows:
        padded = np.pad(window, (0, max(0, MIN_BATCH_SAMPLES - window.size)))
        rows.append(session.run([POOLED], {"waveform": padded[None]})[0][0])
    return np.stack(rows)


def fit_gate(graph: Path, train: WindowSet, check: WindowSet, recipe: GateRecipe) -> tuple[Any, JudgedGate]:
    """Fit a gate on a graph's pooled vectors and judge it.

    Args:
        graph: int8, from `waveform` to `pooled` among others.
        train: windows that the net was trained on.
        check: windows of others; a gate that misses them is no gate.
        recipe: how.

    Returns:
        The head, torch module of pooled vectors to 2 logits, and what it does.
    """
    session = open_session(graph, threads=1)
    speech = pool_windows(session, make_speech(train, recipe.n_speech))
    sounds = list(make_nonspeech(SOUND_SEED, per_kind=recipe.per_kind))
    front_end = train.store.preparation.front_end
    pooled = pool_windows(session, (prepare(one.signal, front_end) for one in sounds))
    held_out = pool_windows(session, (check.take_window(row) for row in range(len(check))))
    head = fit_speech_head(speech, pooled, seed=recipe.seed)
    names = np.array([one.name for one in sounds])
    accepted = judge_unheard(speech, pooled, names, recipe)
    missed = float((score_speech(head, held_out) < recipe.threshold).mean())
    sizes = {"n_speech": len(speech), "n_sounds": len(pooled), "n_held_out": len(held_out)}
    judged = JudgedGate(recipe.threshold, **sizes, missed=missed, accepted=accepted, refused=None)
    return head, JudgedGate(**{**vars(judged), "refused": find_fault(judged, recipe)})


def fit_speech_head(speech: Statistics, sounds: Statistics, *, seed: int) -> Any:
    """Fit a head on pooled vectors of speech and of sounds, the two classes weighing the same."""
    statistics = np.concatenate([speech, sounds])
    target = np.repeat(np.array([1, 0], dtype=np.int64), (len(speech), len(sounds)))
    n_batches = -(-len(target) // SPEECH_RECIPE.batch_size)
    epochs = max(SPEECH_RECIPE.epochs, -(-MIN_STEPS // n_batches))
    seed_torch(seed)
    recipe = replace(SPEECH_RECIPE, epochs=epochs)
    return fit_head(make_speech_head(statistics), statistics, target, recipe=recipe, seed=seed)


def judge_unheard(
    speech: Statistics, sounds: Statistics, names: NDArray[np.str_], recipe: GateRecipe
) -> dict[str, float]:
    """Return the share of each kind of sound that passes a gate which never heard the kind, alone or mixed in."""
    folds = assign_folds(MAKERS)
    kinds = split_kinds(names)
    first = np.array([name.rsplit("-", 1)[0].split("+")[0] for name in names.tolist()])
    accepted: dict[str, float] = {}
    for fold in range(N_FOLDS):
        is_heard = np.array([all(folds[kind] != fold for kind in mixed) for mixed in kinds])
        head = fit_speech_head(speech, sounds[is_heard], seed=recipe.seed)
        passes = score_speech(head, sounds) >= recipe.threshold
        accepted |= {kind: float(passes[first == kind].mean()) for kind in MAKERS if folds[kind] == fold}
    return dict(sorted(accepted.items()))


def find_fault(judged: JudgedGate, recipe: GateRecipe) -> str | None:
    """Return why a gate is not good enough, None where it is."""
    faults = []
    if judged.missed > recipe.max_missed:
        faults.append(f"it turns {judged.missed:.4f} of held-out speech away, allowed is {recipe.max_missed}")
    if judged.mean_accepted > recipe.max_accepted:
        share = f"{judged.mean_accepted:.4f}"
        faults.append(f"it lets {share} of unheard kinds of sound pass, allowed is {recipe.max_accepted}")
    return "; ".join(faults) or None
