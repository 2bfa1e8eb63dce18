"""Decide which frames have a voiced run within reach, looking at no more frames than that needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from worker.audio.voicing import FrameMeasures, find_periods, find_voiced_frames

UNKNOWN = -1.0
"""Height of a peak that was not looked for: below any threshold."""


def find_frames_near_voice(
    found: FrameMeasures, *, min_periodicity: float, min_frames: int, reach: int
) -> NDArray[np.bool_]:
    """Mark the frames that have a frame of a voiced run at most `reach` frames away.

    One voiced run decides for all frames around it. So it is looked for first where the pitch in the telephone band is
    clearest, once in each stretch of `reach` frames; and everywhere only around the frames that this leaves open.

    Args:
        found: frames in a row.
        min_periodicity: a frame at or over this is pitched, 0 to 1.
        min_frames: how many pitched frames with a steady pitch are a voiced run, 1 or more.
        reach: in frames.

    Returns:
        bool (n_frames,).
    """
    n_frames = len(found.clarity)
    peaks, lags = np.full(n_frames, UNKNOWN), np.zeros(n_frames, dtype=np.int64)
    is_wanted = _choose_clearest(found.clarity, n_together=min_frames + 2, every=max(reach, min_frames + 2))
    for _ in range(2):
        at = np.flatnonzero(is_wanted & (peaks == UNKNOWN))
        peaks[at], lags[at] = find_periods(found, at)
        is_voiced = find_voiced_frames(peaks, lags, min_periodicity=min_periodicity, min_frames=min_frames)
        is_near = _widen(is_voiced, reach)
        if is_near.all():
            break
        is_wanted = _widen(~is_near, reach + min_frames - 1)  # a run that begins within reach goes on so far at least
    return is_near


def _choose_clearest(clarity: NDArray[np.float64], *, n_together: int, every: int) -> NDArray[np.bool_]:
    """Mark `n_together` frames around the clearest of each stretch."""
    is_chosen = np.zeros(len(clarity), dtype=np.bool_)
    for start in range(0, len(clarity), every):
        first = start + int(clarity[start : start + every].argmax()) - n_together // 2
        is_chosen[max(first, 0) : first + n_together] = True
    return is_chosen


def _widen(marks: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Mark what is at most `reach` frames from a mark."""
    n_before = np.concatenate(([0], np.cumsum(marks)))
    here = np.arange(len(marks))
    return np.asarray(n_before[np.minimum(here + reach + 1, len(marks))] > n_before[np.maximum(here - reach, 0)])
