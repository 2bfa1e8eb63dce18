"""Describe how scores move within one note; never compares notes.

Formulas:

- slope: ordinary least squares of probability on time, sum((t - mean t) (p - mean p)) / sum((t - mean t)^2), with t
  the middle of each window on the recording's clock, in minutes (Legendre 1805; any text on regression).
- start and end: the mean over the first and the last third of the windows, max(1, n // 3) each; of one window both
  are its score, of two windows they are the first and the second.
- volatility: the mean absolute successive difference, sum(|p[i + 1] - p[i]|) / (n - 1). Successive differences
  measure instability without being misled by a steady trend (von Neumann et al. 1941, "The mean square successive
  difference"; for emotion Jahng, Wood and Trull 2008, "Analysis of affective instability in ecological momentary
  assessment"); absolute instead of squared, so that it reads as a probability step.

One window has slope 0 and volatility 0. The dimensions, where the bundle has any, are described as probabilities are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from worker.scoring.note import EmotionTrend, ScoredSegment

MS_PER_MIN = 60_000


def describe_trend(segments: Sequence[ScoredSegment]) -> dict[str, EmotionTrend]:
    """Describe the movement of every emotion and of every dimension.

    Args:
        segments: windows in order of time, at least one, the same labels and dimensions in each.

    Returns:
        label or dimension to trend, labels first, each in the order of the first window.

    Example:
        >>> rising = [ScoredSegment(t, t + 8000, 8000, {"anger": p}) for t, p in [(0, 0.2), (60_000, 0.5)]]
        >>> round(describe_trend(rising)["anger"].slope_per_min, 6)
        0.3
    """
    minutes = [(segment.start_ms + segment.end_ms) / 2 / MS_PER_MIN for segment in segments]
    said = [{**segment.scores, **segment.dimensions} for segment in segments]
    return {name: _describe(minutes, [one[name] for one in said]) for name in said[0]}


def _describe(minutes: Sequence[float], scores: Sequence[float]) -> EmotionTrend:
    n_third = max(1, len(scores) // 3)
    steps = [abs(after - before) for before, after in pairwise(scores)]
    return EmotionTrend(
        slope_per_min=_fit_slope(minutes, scores),
        start_mean=sum(scores[:n_third]) / n_third,
        end_mean=sum(scores[-n_third:]) / n_third,
        volatility=sum(steps) / len(steps) if steps else 0.0,
    )


def _fit_slope(minutes: Sequence[float], scores: Sequence[float]) -> float:
    mean_min = sum(minutes) / len(minutes)
    mean_score = sum(scores) / len(scores)
    spread = sum((minute - mean_min) ** 2 for minute in minutes)
    if spread == 0.0:
        return 0.0
    joint = sum((minute - mean_min) * (score - mean_score) for minute, score in zip(minutes, scores, strict=True))
    return joint / spread
