"""What the scoring of one recording says; holds values and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum


class NoteStatus(StrEnum):
    """How the scoring of a readable recording ended."""

    SCORED = "scored"
    NO_SPEECH = "no_speech"


@dataclass(frozen=True)
class ScoredSegment:
    """One window and its scores.

    Attributes:
        start_ms: on the clock of the original file, in it.
        end_ms: on the same clock, just after it; pauses in between are not speech.
        speech_ms: how much speech the window covers.
        scores: label to probability, in the bundle's order of labels.
        dimensions: name to value, in the range that the bundle gives; empty if it has none.
    """

    start_ms: int
    end_ms: int
    speech_ms: int
    scores: Mapping[str, float]
    dimensions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class EmotionTrend:
    """How the probability of one emotion, or one dimension, moves through a note; `trends.within_note` holds the formulas.

    Attributes:
        slope_per_min: change per minute of the recording; None with fewer than ten windows.
        slope_error: standard error of that.
        start_mean: mean over the first third of the windows, weighted by new speech as all of these are.
        end_mean: mean over the last third of the windows.
        volatility: mean step from one window to the next, 0 to the width of the range: 1 for a probability.
        level: mean of the windows' log odds, what a person's days are made of; None for a dimension, as the next two.
        spread: standard deviation of single windows' log odds; None with one window too.
        n_effective: how many equally new windows tell as much.
    """

    slope_per_min: float | None
    slope_error: float | None
    start_mean: float
    end_mean: float
    volatility: float
    level: float | None = None
    spread: float | None = None
    n_effective: float | None = None

    def as_numbers(self) -> dict[str, float]:
        """Return what is known by name, as rows keep it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class NoteScores:
    """One recording, scored.

    Attributes:
        status: whether there was enough speech to score.
        duration_ms: of the decoded recording.
        speech_ms: of it, speech that was scored, or would have been, had there been enough.
        rejected_ms: of it, sound that was taken for speech at first and turned away by the voicing gate or by the
            model's speech gate.
        n_windows: how many windows were pooled, 0 if not scored.
        label: the label of the highest score, None if not scored.
        confidence: that score, None if not scored.
        is_uncertain: whether the confidence is under the bundle's threshold, None if not scored.
        scores: label to pooled probability, in the bundle's order of labels; empty if not scored.
        dimensions: name to pooled value, in the range that the bundle gives; empty if it has none or not scored.
        segments: the pooled windows in order of time; empty if not scored.
        trend: label or dimension to trend; empty if not scored.
        voice: name to value of what `worker.audio.voice` measures without the model; empty if not scored.
    """

    status: NoteStatus
    duration_ms: int
    speech_ms: int
    rejected_ms: int
    n_windows: int
    label: str | None
    confidence: float | None
    is_uncertain: bool | None
    scores: Mapping[str, float]
    dimensions: Mapping[str, float]
    segments: tuple[ScoredSegment, ...]
    trend: Mapping[str, EmotionTrend]
    voice: Mapping[str, float] = field(default_factory=dict)
