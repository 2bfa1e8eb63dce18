"""Join short recordings of one speaker to longer ones, so that length is no cue for what was said in single words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from training.corpora.utterance import Utterance
from training.sounds.augment import SAMPLING_RATE_HZ, Signal

GAP_S = (0.1, 0.6)
EDGE_SAMPLES = SAMPLING_RATE_HZ // 200  # 5 ms: a word that was trimmed hard begins and ends with a step.
FRAME_SAMPLES = SAMPLING_RATE_HZ // 100
FLOOR_QUANTILE = 0.1  # Of the frames of all words: what is left of them is room and microphone.
Group = tuple[int, ...]


def plan_joins(
    utterances: Sequence[Utterance],
    rng: np.random.Generator,
    *,
    span_s: tuple[float, float] = (3.0, 8.0),
    is_anybody_joined: bool = False,
) -> tuple[Group, ...]:
    """Say which recordings are to be laid one after another: each is in one group, and a long one is alone.

    Only what has speaker, label and kind in common is joined. The length of a group is drawn evenly from the span. What is
    left at the end may be shorter.

    Args:
        utterances: with their durations, as an inspected corpus has them.
        rng: the only source of chance.
        span_s: shortest and longest joined recording, gaps included.
        is_anybody_joined: whether recordings of a corpus without speaker ids are joined too. Several voices would then be in
            one, which no emotional recording has: another cue.

    Returns:
        Indices of the utterances, a tuple a group, in the order in which they follow each other.

    Raises:
        ValueError: a duration is not known, or the span is none.
    """
    shortest, longest = span_s
    if not 0.0 < shortest <= longest:
        message = f"a span of {shortest} to {longest} s; allowed are two lengths over 0, the shorter one first"
        raise ValueError(message)
    by_speaker: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, item in enumerate(utterances):
        if item.duration_s is None:
            message = f"{item.corpus}/{item.name} has no duration; joining needs a corpus that was inspected"
            raise ValueError(message)
        is_alone = item.duration_s >= shortest or not (item.is_speaker_known or is_anybody_joined)
        by_speaker[(index,) if is_alone else (item.voice, item.label, item.kind)].append(index)
    durations_s = [item.duration_s or 0.0 for item in utterances]
    groups = (_fill(members, durations_s, span_s, rng) for members in by_speaker.values())
    return tuple(group for result in groups for group in result)


def _fill(
    members: Sequence[int], durations_s: Sequence[float], span_s: tuple[float, float], rng: np.random.Generator
) -> list[Group]:
    """Shuffle, and close a group once it has the length that was drawn for it, or the next would make it too long."""
    groups: list[Group] = []
    group: list[int] = []
    total_s, target_s = 0.0, float(rng.uniform(*span_s))
    for index in (int(item) for item in rng.permutation(np.array(members))):
        longer_s = total_s + durations_s[index] + (GAP_S[1] if group else 0.0)
        if group and (total_s >= target_s or longer_s > span_s[1]):
            groups.append(tuple(group))
            group, longer_s, target_s = [], durations_s[index], float(rng.uniform(*span_s))
        group.append(index)
        total_s = longer_s
    return [*groups, tuple(group)]


def join_signals(signals: Sequence[Signal], rng: np.random.Generator) -> Signal:
    """Lay recordings one after another, 0.1 to 0.6 s apart, with noise as faint as their own between them.

    Args:
        signals: float32 (n_samples,), 16 kHz, in [-1, 1]; one alone is returned as it is.
        rng: the only source of chance.

    Returns:
        float32 (n_samples,), 16 kHz, in [-1, 1].

    Raises:
        ValueError: there is no signal.
    """
    if not signals:
        message = "0 signals to join; allowed are 1 and more"
        raise ValueError(message)
    if len(signals) == 1:
        return signals[0]
    floor = _measure_floor(signals)
    parts: list[Signal] = []
    for signal in signals:
        gap = floor * rng.standard_normal(round(float(rng.uniform(*GAP_S)) * SAMPLING_RATE_HZ))
        parts += [_fade_edges(signal), gap.astype(np.float32)]
    return np.clip(np.concatenate(parts[:-1]), -1.0, 1.0)


def _measure_floor(signals: Sequence[Signal]) -> float:
    """Return the RMS of the faint frames of all signals together; 0 where no signal is as long as a frame."""
    frames = [item[: item.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES) for item in signals]
    powers = np.mean(np.concatenate(frames).astype(np.float64) ** 2, axis=1)
    return float(np.sqrt(np.quantile(powers, FLOOR_QUANTILE))) if powers.size else 0.0


def _fade_edges(signal: Signal) -> Signal:
    n_edge = min(EDGE_SAMPLES, signal.size // 2)
    faded = signal.copy()
    ramp = np.linspace(0.0, 1.0, n_edge, dtype=np.float32)
    faded[:n_edge] *= ramp
    faded[signal.size - n_edge :] *= ramp[::-1]
    return faded
