"""Describe how scores move within one note, by the arithmetic of `trends.within_note`; notes are not compared here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trends import describe_movement, measure_level
from worker.scoring.note import EmotionTrend, ScoredSegment

MS_PER_MIN = 60_000


def describe_trend(segments: Sequence[ScoredSegment], new_speech_ms: Sequence[int]) -> dict[str, EmotionTrend]:
    """Describe the movement of every emotion and of every dimension.

    Args:
        segments: windows in order of time, at least one, the same labels and dimensions in each.
        new_speech_ms: of each window, how much of its speech no earlier window covers.

    Returns:
        label or dimension to trend, labels first, each in the order of the first window.

    Example:
        >>> rising = [ScoredSegment(t * 6000, t * 6000 + 8000, 8000, {"anger": t / 10}) for t in range(10)]
        >>> round(describe_trend(rising, [8000] * 10)["anger"].slope_per_min, 6)
        1.0
    """
    minutes = [(segment.start_ms + segment.end_ms) / 2 / MS_PER_MIN for segment in segments]
    by_name = [{**segment.scores, **segment.dimensions} for segment in segments]
    trends = {name: _describe(minutes, [values[name] for values in by_name], new_speech_ms) for name in by_name[0]}
    return trends | {label: _add_level(trends[label], label, segments, new_speech_ms) for label in segments[0].scores}


def _describe(minutes: Sequence[float], values: Sequence[float], new_speech_ms: Sequence[int]) -> EmotionTrend:
    movement = describe_movement(minutes, values, new_speech_ms)
    return EmotionTrend(
        slope_per_min=movement.slope.per_min if movement.slope else None,
        slope_error=movement.slope.error if movement.slope else None,
        start_mean=movement.start,
        end_mean=movement.end,
        volatility=movement.volatility or 0.0,
    )


def _add_level(
    trend: EmotionTrend, label: str, segments: Sequence[ScoredSegment], new_speech_ms: Sequence[int]
) -> EmotionTrend:
    level = measure_level([segment.scores[label] for segment in segments], new_speech_ms)
    return replace(trend, level=level.level, spread=level.spread, n_effective=level.n_effective)
