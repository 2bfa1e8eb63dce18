"""Crowds for the speech gate: whose voices are in them, and how far a voice in front of one stands out."""

from pathlib import Path

import numpy as np
import pytest

from training.corpora import LABELS, DecodedUtterance
from training.data.copies import SAMPLING_RATE_HZ, WINDOW_SAMPLES, Copy
from training.data.crowd import IN_CROWD, make_crowd, make_in_crowd, name_crowd
from training.protocols.folds import assign_folds

# Each speaker hums one note of his own, so that a spectrum tells who is in a window.
PITCHES_HZ = {f"actor{index}": 400.0 + 150.0 * index for index in range(10)}
FOLDS = assign_folds(PITCHES_HZ)


def hum(pitch_hz, seconds=2.0):
    return (0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(int(seconds * SAMPLING_RATE_HZ)) / SAMPLING_RATE_HZ)).astype(
        np.float32
    )


UTTERANCES = tuple(
    DecodedUtterance(Path(f"{speaker}-{turn}.wav"), speaker, LABELS[turn % len(LABELS)], hum(pitch_hz))
    for speaker, pitch_hz in PITCHES_HZ.items()
    for turn in range(3)
)


def measure_power(signal, speaker):
    """Return the power within 20 Hz of a speaker's note."""
    power = np.abs(np.fft.rfft(signal * np.hanning(signal.size))) ** 2
    return power[np.abs(np.fft.rfftfreq(signal.size, 1 / SAMPLING_RATE_HZ) - PITCHES_HZ[speaker]) < 20.0].sum()


def test_a_crowd_has_voices_of_one_folds_speakers_alone_and_bears_its_name():
    windows = list(make_crowd(UTTERANCES, 3, n_windows=15))

    assert [window.speaker for window in windows] == [name_crowd(turn % 5) for turn in range(15)]
    for turn, window in enumerate(windows):
        inside = [measure_power(window.signal, speaker) for speaker in PITCHES_HZ if FOLDS[speaker] == turn % 5]
        outside = [measure_power(window.signal, speaker) for speaker in PITCHES_HZ if FOLDS[speaker] != turn % 5]
        assert max(inside) > 30.0 * max(outside)
        assert window.signal.size <= WINDOW_SAMPLES


def test_a_voice_in_a_crowd_stays_its_speakers_and_stands_out_from_the_others_of_its_fold():
    copy = Copy(IN_CROWD.name, IN_CROWD.seed, IN_CROWD.cut, IN_CROWD.chain, share=1.0)
    windows = list(make_in_crowd(UTTERANCES, copy))

    assert [window.speaker for window in windows] == [utterance.speaker for utterance in UTTERANCES]
    for window in windows:
        (other,) = [one for one in PITCHES_HZ if FOLDS[one] == FOLDS[window.speaker] and one != window.speaker]
        assert measure_power(window.signal, window.speaker) > 1.5 * measure_power(window.signal, other)


def test_crowds_come_out_the_same_whenever_they_are_made():
    first, second = (list(make_crowd(UTTERANCES, 3, n_windows=6)) for _ in range(2))
    assert all(np.array_equal(one.signal, other.signal) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("n_windows", [0, 1])
def test_as_many_crowds_are_made_as_are_asked_for(n_windows):
    assert len(list(make_crowd(UTTERANCES, 3, n_windows=n_windows))) == n_windows
