"""Many voices at once, which are nobody's speech to score, and one voice in front of them, which is; for the speech gate."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from training.corpora import DecodedUtterance
from training.data.copies import (
    NONSPEECH_CHAIN,
    SAMPLING_RATE_HZ,
    WINDOW_SAMPLES,
    Copy,
    Window,
    is_taken,
    normalise,
)
from training.protocols.folds import N_FOLDS, assign_folds
from training.sounds.augment import Chain, Signal, distort, measure_loudness
from training.sounds.nonspeech import make_babble
from training.sounds.voice import Cut, reduce_signal

CROWD = "crowd"
IN_CROWD = Copy("in-crowd", 15, Cut.VAD, Chain(), share=0.3, is_for_all=False)
IN_CROWD_SNR_DB = (3.0, 20.0)
N_VOICES = (6, 12)


def name_crowd(fold: int) -> str:
    """Return the speaker of a crowd window; its voices are of one fold's speakers, so that it can be left out with them."""
    return f"{CROWD}-{fold}"


def make_crowd(utterances: tuple[DecodedUtterance, ...], seed: int, *, n_windows: int) -> Iterator[Window]:
    """Yield babble of six to twelve scrambled voices, 2 to 8 s, as many windows of each fold's speakers, distorted as other sounds."""
    by_fold = _split(utterances)
    for turn in range(n_windows):
        fold = turn % N_FOLDS
        rng = np.random.default_rng([seed, turn])
        babble = _overlap(by_fold[fold], int(rng.uniform(2.0, 8.0) * SAMPLING_RATE_HZ), rng)
        distorted = distort(normalise(babble), NONSPEECH_CHAIN, rng)
        yield Window(normalise(distorted), name_crowd(fold), "babble", f"babble-{turn}")


def make_in_crowd(utterances: tuple[DecodedUtterance, ...], copy: Copy) -> Iterator[Window]:
    """Yield a window of every utterance that the copy takes, with babble of the same fold's speakers 3 to 20 dB under it."""
    folds = assign_folds(utterance.speaker for utterance in utterances)
    by_fold = _split(utterances)
    for index, utterance in enumerate(utterances):
        if not is_taken(copy, index, utterance):
            continue
        rng = np.random.default_rng([copy.seed, index])
        babble = _overlap(by_fold[folds[utterance.speaker]], utterance.signal.size, rng)
        level = measure_loudness(utterance.signal) * 10 ** (-rng.uniform(*IN_CROWD_SNR_DB) / 20) / (babble.std() + 1e-9)
        speech = reduce_signal(normalise((utterance.signal + level * babble).astype(np.float32)), copy.cut)
        yield Window(normalise(speech[:WINDOW_SAMPLES]), utterance.speaker, utterance.label, utterance.path.stem)


def _split(utterances: tuple[DecodedUtterance, ...]) -> dict[int, list[DecodedUtterance]]:
    folds = assign_folds(utterance.speaker for utterance in utterances)
    return {fold: [item for item in utterances if folds[item.speaker] == fold] for fold in range(N_FOLDS)}


def _overlap(utterances: list[DecodedUtterance], n_samples: int, rng: np.random.Generator) -> Signal:
    few, many = N_VOICES
    n_voices = min(int(rng.integers(few, many + 1)), len(utterances))
    chosen = rng.choice(len(utterances), size=n_voices, replace=False)
    return make_babble([utterances[int(index)].signal for index in chosen], n_samples, rng)
