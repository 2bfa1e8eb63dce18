"""Find onsets like those of syllables: where a voice has become louder and then softer again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DIP_DB = 2.0
"""So far the level must fall between two onsets (de Jong and Wempe 2009, "Praat script to detect syllable nuclei and measure
speech rate automatically")."""
NEAR_FRAMES = 1
"""How far from a voiced frame a peak may lie: consonants end voicing before the level falls."""


def find_onsets(level_db: NDArray[np.float64], is_voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark one frame for each syllable-like rise and fall of the level that is voiced: its loudest.

    Args:
        level_db: float64 (n_frames,), in order of time.
        is_voiced: bool (n_frames,).

    Returns:
        bool (n_frames,).

    Example:
        >>> find_onsets(np.array([0.0, 9, 0, 8, 7, 9, 1]), np.ones(7, dtype=bool)).nonzero()[0].tolist()
        [1, 5]
    """
    marks = np.zeros(len(level_db), dtype=np.bool_)
    levels = level_db.tolist()
    is_rising, turn = True, 0  # turn: the frame of the highest level while it rises, of the lowest while it falls
    for frame, level in enumerate(levels):
        if is_rising:
            if level >= levels[turn]:
                turn = frame
            elif levels[turn] - level >= DIP_DB:
                marks[turn] = is_voiced[max(turn - NEAR_FRAMES, 0) : turn + NEAR_FRAMES + 1].any()
                is_rising, turn = False, frame
        elif level <= levels[turn]:
            turn = frame
        elif level - levels[turn] >= DIP_DB:
            is_rising, turn = True, frame
    if is_rising and levels:
        marks[turn] = is_voiced[max(turn - NEAR_FRAMES, 0) : turn + NEAR_FRAMES + 1].any()
    return marks
