"""Find onsets like those of syllables: where a voice has become louder and then softer again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.audio.quantiles import find_quantile

DIP_DB = 2.0
"""So far the level must fall between two onsets (de Jong and Wempe 2009, "Praat script to detect syllable nuclei and measure
speech rate automatically")."""
LOUD_DB, LOUD_QUANTILE = 20.0, 0.95
"""Softer than this beside the loud frames is no syllable: theirs is 25 dB beside the loudest."""
MIN_CLARITY, NEAR_FRAMES = 0.2, 1
"""How periodic one of the frames up to so far from the peak must be: a syllable has a vowel."""


def find_onsets(level_db: NDArray[np.float64], clarity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark one frame for each syllable-like rise and fall of the level: its loudest.

    Args:
        level_db: float64 (n_frames,), in order of time, 20 to 30 ms apart and each measured over about 60 ms.
        clarity: float64 (n_frames,), how periodic each is, 0 to 1.

    Returns:
        bool (n_frames,).

    Example:
        >>> find_onsets(np.array([0.0, 9, 0, 8, 7, 9, 1]), np.ones(7)).nonzero()[0].tolist()
        [1, 5]
    """
    marks = np.zeros(len(level_db), dtype=np.bool_)
    if not len(level_db):
        return marks
    softest = find_quantile(level_db, LOUD_QUANTILE) - LOUD_DB
    for peak in _find_turns(level_db.tolist()):
        near = clarity[max(peak - NEAR_FRAMES, 0) : peak + NEAR_FRAMES + 1]
        marks[peak] = level_db[peak] > softest and near.max() >= MIN_CLARITY
    return marks


def _find_turns(levels: list[float]) -> list[int]:
    """Return the frames that are highest between two dips."""
    turns: list[int] = []
    is_rising, turn = True, 0  # turn: the frame of the highest level while it rises, of the lowest while it falls
    for frame, level in enumerate(levels):
        if is_rising:
            if level >= levels[turn]:
                turn = frame
            elif levels[turn] - level >= DIP_DB:
                turns.append(turn)
                is_rising, turn = False, frame
        elif level <= levels[turn]:
            turn = frame
        elif level - levels[turn] >= DIP_DB:
            is_rising, turn = True, frame
    return [*turns, turn] if is_rising else turns
