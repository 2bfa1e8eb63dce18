"""Train and judge the speech gate: is this window human speech at all; it never looks at emotions."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from training.data.copies import CLEAN, NOTE_COPIES, UTTERANCE_COPIES
from training.data.crowd import CROWD, IN_CROWD, N_VOICES, name_crowd
from training.data.features import Features, load_features
from training.data.views import EVALUATION_COPIES, FOREIGN, NONSPEECH
from training.measures.metrics import apply_softmax
from training.nets.heads import SPEECH_RECIPE, compute_logits, fit_head, make_speech_head, seed_torch
from training.nets.whisper import N_STATISTICS
from training.protocols.folds import N_FOLDS, assign_folds
from training.sounds.nonspeech import MAKERS

log = logging.getLogger(__name__)
# Clean, room, phone and joined notes, for the other copies only add more of the same speech, and a voice before a crowd:
# without it a gate that heard crowds turns every voice away that is not alone.
GATE_COPIES = (*UTTERANCE_COPIES[:3], NOTE_COPIES[0], IN_CROWD)
GATE_SOUNDS = (NONSPEECH, CROWD)
GATE_VIEWS = (*(copy.name for copy in (*GATE_COPIES, *EVALUATION_COPIES)), FOREIGN)
KIND_SEED = 0
Scores = NDArray[np.float64]


def split_kinds(names: NDArray[np.str_]) -> list[set[str]]:
    """Return the kinds of sound in each window, read from names like `hum-3` or `hum+rain-3`."""
    return [set(name.rsplit("-", 1)[0].split("+")) for name in names.tolist()]


def gather_speech(views: dict[str, Features], keep: dict[str, bool]) -> NDArray[np.float32]:
    """Return the statistics of every training window of the kept speakers."""
    parts = []
    for copy in GATE_COPIES:
        view = views[copy.name]
        parts.append(view.statistics[[keep[speaker] for speaker in view.speakers]])
    return np.concatenate(parts)


def fit_speech_head(speech: NDArray[np.float32], sounds: NDArray[np.float32], *, seed: int) -> Any:
    """Fit a gate on speech and non-speech statistics, the two classes weighing the same."""
    target = np.concatenate([np.ones(len(speech), dtype=np.int64), np.zeros(len(sounds), dtype=np.int64)])
    statistics = np.concatenate([speech, sounds])
    seed_torch(seed)
    return fit_head(make_speech_head(statistics), statistics, target, recipe=SPEECH_RECIPE, seed=seed)


def score_speech(head: Any, statistics: NDArray[np.float32]) -> Scores:
    """Return the probability of speech, float64 (n_windows,)."""
    return apply_softmax(compute_logits(head, statistics))[:, 1]


def cross_validate(views: dict[str, Features], sounds: Features) -> tuple[dict[str, Scores], dict[str, Scores]]:
    """Score speech and crowds of held-out speakers, and sounds once as an unseen kind and once as an unseen seed.

    Each fold leaves out its speakers, alone and in crowds, a fifth of the kinds (alone or mixed in) and every fifth seed.

    Args:
        views: of speech, and the crowds.
        sounds: synthesised.

    Returns:
        Scores by view, and sound scores by `kind/unseen kind` and `kind/unseen seed`.
    """
    folds = assign_folds(views[CLEAN.name].speakers.tolist()) | {name_crowd(fold): fold for fold in range(N_FOLDS)}
    crowd = views[CROWD]
    kind_fold = assign_folds(MAKERS, seed=KIND_SEED)
    kinds = split_kinds(sounds.names)
    seed_fold = np.array([int(name.rsplit("-", 1)[1]) % N_FOLDS for name in sounds.names.tolist()])
    heard: dict[str, list[Scores]] = {}
    rejected: dict[str, list[Scores]] = {}
    for fold in range(N_FOLDS):
        has_unseen = np.array([any(kind_fold[kind] == fold for kind in mixed) for mixed in kinds])
        usable = ~has_unseen & (seed_fold != fold)
        speech = gather_speech(views, {speaker: mine != fold for speaker, mine in folds.items()})
        others = crowd.statistics[crowd.speakers != name_crowd(fold)]
        head = fit_speech_head(speech, np.concatenate([sounds.statistics[usable], others]), seed=fold)
        for name, view in views.items():
            test = [folds.get(speaker, fold) == fold for speaker in view.speakers]
            heard.setdefault(name, []).append(score_speech(head, view.statistics[test]))
        scores = score_speech(head, sounds.statistics)
        for kind in sorted(MAKERS):
            named = sounds.kinds == kind
            is_unseen = kind_fold[kind] == fold
            test = named if is_unseen else named & ~has_unseen & (seed_fold == fold)
            label = f"{kind}/unseen {'kind' if is_unseen else 'seed'}"
            rejected.setdefault(label, []).append(scores[test])
    return _join(heard), _join(rejected)


def _join(parts: dict[str, list[Scores]]) -> dict[str, Scores]:
    return {name: np.concatenate(scores) for name, scores in parts.items()}


def report(heard: dict[str, Scores], sounds: dict[str, Scores], threshold: float) -> dict[str, Any]:
    """Print and return miss rates of speech and false-accept rates of sounds at a threshold."""
    result: dict[str, Any] = {"threshold": threshold, "miss": {}, "false_accept": {}}
    for name, scores in heard.items():
        miss = float((scores < threshold).mean())
        result["miss"][name] = round(miss, 4)
        low = np.percentile(scores, [0, 0.1, 1.0])
        log.info("speech %-13s n %5d  missed %.4f  lowest %.4f  0.1 %% %.3f  1 %% %.3f", name, scores.size, miss, *low)
    for name, scores in sorted(sounds.items()):
        accepted = float((scores >= threshold).mean())
        result["false_accept"][name] = round(accepted, 4)
        log.info("sound %-21s n %4d  accepted %.3f  highest %.3f", name, scores.size, accepted, scores.max())
    return result


def evaluate_gate(features: Path, threshold: float) -> dict[str, Any]:
    """Print and return what gates miss and accept that heard neither the speaker nor the kind or seed of sound.

    Args:
        features: folder of the encoder that ships, every view of the gate cached.
        threshold: a window under it is no speech, 0 to 1.
    """
    views = {name: load_features(features, name) for name in (*GATE_VIEWS, CROWD)}
    heard, rejected = cross_validate(views, load_features(features, NONSPEECH))
    babble = heard.pop(CROWD)
    result = report(heard, rejected, threshold)
    result["babble_accepted"] = round(float((babble >= threshold).mean()), 4)
    log.info("babble of %d to %d unheard voices: accepted %.4f", *N_VOICES, result["babble_accepted"])
    return result


def fit_gate(features: Path, target: Path, *, seed: int) -> None:
    """Fit the gate that ships, on every speaker and every sound, and write it.

    Args:
        features: folder of the encoder that ships.
        target: safetensors file to write.
        seed: of its start and its order.
    """
    views = {copy.name: load_features(features, copy.name) for copy in GATE_COPIES}
    keep = dict.fromkeys(views[CLEAN.name].speakers.tolist(), True)
    sounds = np.concatenate([load_features(features, name).statistics for name in GATE_SOUNDS])
    head = fit_speech_head(gather_speech(views, keep), sounds, seed=seed)
    partial = target.with_suffix(".partial")
    save_file(head.state_dict(), partial)
    partial.replace(target)


def load_gate(source: Path) -> Any:
    """Return what `fit_gate` wrote, in evaluation mode."""
    head = make_speech_head(np.zeros((2, N_STATISTICS), dtype=np.float32))
    head.load_state_dict(load_file(source))
    return head.eval().requires_grad_(requires_grad=False)
