"""Build long synthetic voice notes whose true speech is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import librosa
import numpy as np
from numpy.typing import NDArray

from training.sounds.augment import make_coloured_noise

Signal = NDArray[np.float32]
SAMPLES_PER_MS = 16
N_UTTERANCES = (4, 8)
GAP_MS = (500, 4000)
EDGE_MS = (1000, 10_000)
NOISE_EXPONENT = (0.5, 1.5)  # Between white and brown, as rooms are; drawn once a note.
TRIM_TOP_DB = 30.0  # The clip's own silence is no speech; what is left is the truth.
PEAK = 0.95
FADE_SAMPLES = 10 * SAMPLES_PER_MS  # A clip's own room must not start with a click.


@dataclass(frozen=True)
class Span:
    """A stretch of true speech.

    Attributes:
        start_ms: on the clock of the note, in it.
        end_ms: just after it.
        label: the emotion that was acted.
    """

    start_ms: int
    end_ms: int
    label: str


@dataclass(frozen=True)
class Note:
    """A note whose noise is not mixed in yet, so that the same note is played at every ratio.

    Attributes:
        speech: float32 (n_samples,), 16 kHz, digital silence outside the spans; a whole number of milliseconds.
        noise: float32 (n_samples,), unit RMS.
        spans: true speech, in order, none touching another.
    """

    speech: Signal
    noise: Signal
    spans: tuple[Span, ...]

    @property
    def duration_ms(self) -> int:
        """How long the note is."""
        return self.speech.size // SAMPLES_PER_MS


def trim_utterance(signal: Signal) -> Signal:
    """Return an utterance without its quiet ends, a whole number of milliseconds, faded in and out over 10 ms."""
    trimmed, _ = librosa.effects.trim(signal, top_db=TRIM_TOP_DB)
    kept = np.array(trimmed[: trimmed.size // SAMPLES_PER_MS * SAMPLES_PER_MS], dtype=np.float32)
    n_fade = min(FADE_SAMPLES, kept.size // 2)
    ramp = np.linspace(0.0, 1.0, n_fade, dtype=np.float32)
    kept[:n_fade] *= ramp
    kept[kept.size - n_fade :] *= ramp[::-1]
    return kept


def draw_utterances(labels: Sequence[str], rng: np.random.Generator, *, is_mixed: bool) -> list[int]:
    """Draw 4 to 8 different utterances of one speaker by index.

    Args:
        labels: of the utterances there are, at least 4 (of two labels for a mixed note).
        rng: the only source of chance.
        is_mixed: ask for at least two emotions.

    Returns:
        Indices in the order in which they are said.
    """
    n_drawn = min(int(rng.integers(N_UTTERANCES[0], N_UTTERANCES[1] + 1)), len(labels))
    while True:
        drawn = [int(i) for i in rng.choice(len(labels), size=n_drawn, replace=False)]
        if not is_mixed or len({labels[i] for i in drawn}) > 1:
            return drawn


def build_note(utterances: Sequence[tuple[str, Signal]], rng: np.random.Generator) -> Note:
    """Lay utterances one after another between gaps, a lead-in and a tail.

    Loudness within the note stays as it was recorded: it is a part of how emotions sound.

    Args:
        utterances: label and trimmed signal of each, one speaker's.
        rng: the only source of chance.

    Returns:
        The note, speech brought to a peak of 0.95.
    """
    parts = [_make_silence(EDGE_MS, rng)]
    spans: list[Span] = []
    at_ms = parts[0].size // SAMPLES_PER_MS
    for index, (label, signal) in enumerate(utterances):
        pause = _make_silence(EDGE_MS if index == len(utterances) - 1 else GAP_MS, rng)
        end_ms = at_ms + signal.size // SAMPLES_PER_MS
        spans.append(Span(at_ms, end_ms, label))
        parts += [signal, pause]
        at_ms = end_ms + pause.size // SAMPLES_PER_MS
    speech = np.concatenate(parts)
    noise = make_coloured_noise(speech.size, float(rng.uniform(*NOISE_EXPONENT)), rng)
    loudest = max(float(np.abs(speech).max()), 1e-9)
    return Note(speech * np.float32(PEAK / loudest), noise, tuple(spans))


def select_speech(note: Note) -> NDArray[np.bool_]:
    """Say of each sample whether it is true speech, bool (n_samples,)."""
    is_speech = np.zeros(note.speech.size, dtype=np.bool_)
    for span in note.spans:
        is_speech[span.start_ms * SAMPLES_PER_MS : span.end_ms * SAMPLES_PER_MS] = True
    return is_speech


def mix_note(note: Note, snr_db: float) -> Signal:
    """Add the note's room at a ratio of RMS over all true speech to RMS of the noise.

    Args:
        note: as built.
        snr_db: signal-to-noise ratio in dB.

    Returns:
        float32 (n_samples,), peak 0.95.
    """
    rms = float(np.sqrt(np.mean(np.square(note.speech[select_speech(note)], dtype=np.float64))))
    mixed = note.speech + note.noise * np.float32(rms * 10 ** (-snr_db / 20))
    return np.asarray(mixed * np.float32(PEAK / max(float(np.abs(mixed).max()), 1e-9)), dtype=np.float32)


def _make_silence(range_ms: tuple[int, int], rng: np.random.Generator) -> Signal:
    return np.zeros(int(rng.integers(range_ms[0], range_ms[1] + 1)) * SAMPLES_PER_MS, dtype=np.float32)
