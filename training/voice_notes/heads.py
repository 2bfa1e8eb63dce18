"""Emotion heads on a frozen encoder's statistics, one a fold; they hear every training copy and are never shipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.protocols.folds import N_FOLDS
from training.whisper3.features import Features
from training.whisper3.heads import EMOTION_RECIPE, fit_head, make_emotion_head, seed_torch
from training.whisper3.out_of_fold import encode_labels
from training.whisper3.views import TRAINING_COPIES


def gather_training(views: dict[str, Features], keep: dict[str, bool]) -> tuple[Any, Any]:
    """Return statistics and labels of every training window whose speaker is to be kept."""
    statistics, labels = [], []
    for copy in TRAINING_COPIES:
        view = views[copy.name]
        chosen = np.array([keep[speaker] for speaker in view.speakers])
        statistics.append(view.statistics[chosen])
        labels.append(encode_labels(view.kinds[chosen]))
    return np.concatenate(statistics), np.concatenate(labels)


def fit_emotion_head(views: dict[str, Features], keep: dict[str, bool], *, seed: int) -> Any:
    """Fit one emotion head on the kept speakers."""
    return _fit(*gather_training(views, keep), seed=seed)


def _fit(statistics: NDArray[np.float32], labels: NDArray[np.int64], *, seed: int) -> Any:
    """Fit one emotion head on given windows."""
    seed_torch(seed)
    return fit_head(make_emotion_head(statistics), statistics, labels, recipe=EMOTION_RECIPE, seed=seed)


def fit_folds(views: dict[str, Features], folds: dict[str, int]) -> list[Any]:
    """Fit one head a fold, on the speakers of the other folds."""
    return [
        fit_emotion_head(views, {speaker: mine != fold for speaker, mine in folds.items()}, seed=fold)
        for fold in range(N_FOLDS)
    ]
