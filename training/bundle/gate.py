"""The speech gate: is this window human speech at all. A small head on pooled statistics, fitted and judged; no emotion is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.bundle.graph import WAVEFORM, open_session
from training.bundle.heads import POOLED
from training.data.cached import Features
from training.data.copies import CLEAN, NOTE_COPIES, UTTERANCE_COPIES, make_nonspeech
from training.data.crowd import CROWD, IN_CROWD, name_crowd
from training.data.views import EVALUATION_COPIES, NONSPEECH
from training.data.windows import MIN_BATCH_SAMPLES, WindowSet
from training.fitting.epochs import fit_head
from training.fitting.presets import SPEECH_FIT
from training.fitting.recipe import Fit
from training.measures.metrics import apply_softmax
from training.nets.heads import compute_logits, make_speech_head, seed_torch
from training.protocols.folds import N_FOLDS, assign_folds
from training.sounds.augment import Chain, distort
from training.sounds.nonspeech import MAKERS
from worker.audio.frontend import prepare

Statistics = NDArray[np.float32]
Scores = NDArray[np.float64]
# Clean, room, phone, varied (single words and less) and joined notes, for the other copies only add more of the same speech, and
# a voice before a crowd: without it a gate that was fitted on crowds turns every voice away that is not alone.
GATE_COPIES = (*UTTERANCE_COPIES[:4], NOTE_COPIES[0], IN_CROWD)
GATE_SOUNDS = (NONSPEECH, CROWD)
GATE_VIEWS = tuple(copy.name for copy in (*GATE_COPIES, *EVALUATION_COPIES))
SOUND_SEED, SPEECH_SEED = 61, 62
MAX_JOINED = 3
MIN_STEPS = 400  # The default model's gate takes over a thousand, from ten times the windows.
# As the sounds' own: a telephone, a codec or noise must be no cue.
SPEECH_CHAIN = Chain(noise=0.4, equaliser=0.4, telephone=0.15, opus=0.4)


@dataclass(frozen=True)
class GateRecipe:
    """How the speech gate of any backbone is fitted, and how good it must be to be shipped.

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
        accepted: share of the sounds that it lets pass, by kind, each by a gate that was not fitted on the kind.
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
        """Share of sounds of other kinds that pass, the mean over kinds."""
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


def fit_speech_head(
    speech: Statistics, sounds: Statistics, *, seed: int, recipe: Fit = SPEECH_FIT, min_steps: int = 0
) -> Any:
    """Fit a head on statistics of speech and of sounds, the two classes weighing the same, in at least so many steps."""
    statistics = np.concatenate([speech, sounds])
    target = np.repeat(np.array([1, 0], dtype=np.int64), (len(speech), len(sounds)))
    epochs = max(recipe.epochs, -(-min_steps // -(-len(target) // recipe.batch_size)))
    seed_torch(seed)
    return fit_head(make_speech_head(statistics), statistics, target, recipe=replace(recipe, epochs=epochs), seed=seed)


def score_speech(head: Any, statistics: Statistics) -> Scores:
    """Return the probability of speech, float64 (n_windows,)."""
    return apply_softmax(compute_logits(head, statistics))[:, 1]


def split_kinds(names: NDArray[np.str_]) -> list[set[str]]:
    """Return the kinds of sound in each window, read from names like `hum-3` or `hum+rain-3`."""
    return [set(name.rsplit("-", 1)[0].split("+")) for name in names.tolist()]


def leave_out_kinds(
    sounds: Features, fit: Callable[[int, Statistics], Any], *, is_seed_left_out: bool = False
) -> dict[str, Scores]:
    """Score every kind of sound by heads that were not fitted on it, alone or mixed in.

    Args:
        sounds: synthesised.
        fit: from a fold and the statistics of the sounds that are left to a head.
        is_seed_left_out: leave every fifth seed out too, and score it by heads that know the kind.

    Returns:
        Probabilities of speech by `kind/unseen kind` and `kind/unseen seed`.
    """
    kind_fold, kinds = assign_folds(MAKERS), split_kinds(sounds.names)
    seed_fold = np.array([int(name.rsplit("-", 1)[1]) % N_FOLDS for name in sounds.names.tolist()])
    scored: dict[str, list[Scores]] = {}
    for fold in range(N_FOLDS):
        has_unseen = np.array([any(kind_fold[kind] == fold for kind in mixed) for mixed in kinds])
        is_used = ~has_unseen & (seed_fold != fold) if is_seed_left_out else ~has_unseen
        scores = score_speech(fit(fold, sounds.statistics[is_used]), sounds.statistics)
        for kind in sorted(MAKERS):
            is_named = sounds.kinds == kind
            if kind_fold[kind] == fold:
                scored.setdefault(f"{kind}/unseen kind", []).append(scores[is_named])
            elif is_seed_left_out:
                rows = is_named & ~has_unseen & (seed_fold == fold)
                scored.setdefault(f"{kind}/unseen seed", []).append(scores[rows])
    return {name: np.concatenate(parts) for name, parts in sorted(scored.items())}


def gather_speech(views: Mapping[str, Features], is_kept: Callable[[str], bool]) -> Statistics:
    """Return the statistics of every training window of the speakers that are kept."""
    parts = [(views[copy.name].statistics, views[copy.name].speakers.tolist()) for copy in GATE_COPIES]
    return np.concatenate([rows[[is_kept(speaker) for speaker in speakers]] for rows, speakers in parts])


def cross_validate_gate(views: Mapping[str, Features], threshold: float, *, recipe: Fit = SPEECH_FIT) -> dict[str, Any]:
    """Return what gates miss and accept that were fitted neither on the speaker nor on the kind or seed of sound.

    Each fold leaves out its speakers, alone and in crowds, a fifth of the kinds and every fifth seed.

    Args:
        views: of the encoder that ships: every one of `GATE_VIEWS` and `GATE_SOUNDS`.
        threshold: a window under it is no speech, 0 to 1.
        recipe: of the head.
    """
    folds = assign_folds(views[CLEAN.name].speakers.tolist()) | {name_crowd(fold): fold for fold in range(N_FOLDS)}
    crowd, missed = views[CROWD], dict[str, list[Scores]]()

    def fit(fold: int, sounds: Statistics) -> Any:
        speech = gather_speech(views, lambda speaker: folds[speaker] != fold)
        others = crowd.statistics[crowd.speakers != name_crowd(fold)]
        head = fit_speech_head(speech, np.concatenate([sounds, others]), seed=fold, recipe=recipe)
        for name in (*GATE_VIEWS, CROWD):
            rows = [folds.get(speaker, fold) == fold for speaker in views[name].speakers.tolist()]
            missed.setdefault(name, []).append(score_speech(head, views[name].statistics[rows]))
        return head

    passed = leave_out_kinds(views[NONSPEECH], fit, is_seed_left_out=True)
    babble = np.concatenate(missed.pop(CROWD))
    return {
        "threshold": threshold,
        "miss": {name: round(float((np.concatenate(s) < threshold).mean()), 4) for name, s in missed.items()},
        "false_accept": {name: round(float((scores >= threshold).mean()), 4) for name, scores in passed.items()},
        "babble_accepted": round(float((babble >= threshold).mean()), 4),
    }


def fit_shipped_gate(
    views: Mapping[str, Features],
    *,
    seed: int,
    recipe: Fit = SPEECH_FIT,
    is_kept: Callable[[str], bool] = lambda _: True,
) -> Any:
    """Fit the gate that ships on every sound of `GATE_SOUNDS` and on `GATE_COPIES` of the speakers that are kept."""
    sounds = np.concatenate([views[name].statistics for name in GATE_SOUNDS])
    return fit_speech_head(gather_speech(views, is_kept), sounds, seed=seed, recipe=recipe)


def make_speech(windows: WindowSet, n_windows: int) -> Iterator[Statistics]:
    """Yield windows of speech spread evenly over a set, every second one joined from several recordings and distorted."""
    for turn, row in enumerate(windows.spread_rows(n_windows)):
        if turn % 2 == 0:
            yield windows.take_window(row)
            continue
        rng = np.random.default_rng([SPEECH_SEED, row])
        others = rng.integers(len(windows), size=int(rng.integers(MAX_JOINED)))
        paths = [windows.utterances[int(item)].path for item in (row, *others)]
        joined = np.concatenate([windows.store.read(path) for path in paths])
        yield windows.store.cut(distort(joined, SPEECH_CHAIN, rng))


def fit_gate(graph: Any, train: WindowSet, check: WindowSet, recipe: GateRecipe) -> tuple[Any, JudgedGate]:
    """Fit a gate on what a graph pools of windows, and judge it.

    Args:
        graph: int8, a file with outputs `pooled` and others.
        train: windows that the net was trained on.
        check: windows of others; a gate that misses them is no gate.
        recipe: how.

    Returns:
        The head, torch module of pooled vectors to 2 logits, and what it does.
    """
    session = open_session(graph)

    def pool(windows: Iterator[Statistics]) -> Statistics:
        padded = (np.pad(window, (0, max(0, MIN_BATCH_SAMPLES - window.size))) for window in windows)
        return np.stack([session.run([POOLED], {WAVEFORM: window[None]})[0][0] for window in padded])

    def fit(_: int, used: Statistics) -> Any:
        return fit_speech_head(speech, used, seed=recipe.seed, min_steps=MIN_STEPS)

    made = list(make_nonspeech(SOUND_SEED, per_kind=recipe.per_kind))
    speech = pool(make_speech(train, recipe.n_speech))
    statistics = pool(prepare(item.signal, train.store.preparation.front_end) for item in made)
    speakers, kinds, names = (np.array([getattr(item, part) for item in made]) for part in ("speaker", "kind", "name"))
    sounds = Features(statistics, speakers, kinds, names, np.array([item.signal.size for item in made]))
    held_out = pool(check.take_window(row) for row in range(len(check)))
    head, scored = fit(0, statistics), leave_out_kinds(sounds, fit)
    judged = JudgedGate(
        recipe.threshold,
        n_speech=len(speech),
        n_sounds=len(statistics),
        n_held_out=len(held_out),
        missed=float((score_speech(head, held_out) < recipe.threshold).mean()),
        accepted={name.split("/")[0]: float((s >= recipe.threshold).mean()) for name, s in scored.items()},
        refused=None,
    )
    return head, replace(judged, refused=find_fault(judged, recipe))


def find_fault(judged: JudgedGate, recipe: GateRecipe) -> str | None:
    """Return why a gate is not good enough, None where it is."""
    faults = []
    if judged.missed > recipe.max_missed:
        faults.append(f"it turns {judged.missed:.4f} of held-out speech away, allowed is {recipe.max_missed}")
    if judged.mean_accepted > recipe.max_accepted:
        share = f"{judged.mean_accepted:.4f}"
        faults.append(f"it lets {share} of unheard kinds of sound pass, allowed is {recipe.max_accepted}")
    return "; ".join(faults) or None
