"""Synthetic voice notes are what they say they are: their truth, their noise, their seeds; and what detectors leave of them."""

from __future__ import annotations

import numpy as np
import pytest

from training.studies.voice_notes.cuts import FINDERS, cut_windows, find_speech, measure_overlap
from training.studies.voice_notes.notes import (
    SAMPLES_PER_MS,
    build_note,
    draw_utterances,
    mix_note,
    select_speech,
    trim_utterance,
)

LABELS = ["anger"] * 6 + ["sadness"] * 6


def make_utterance(seed: int, duration_ms: int = 1500) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.2 * rng.standard_normal(duration_ms * SAMPLES_PER_MS)).astype(np.float32)


def make_note(seed: int = 0):
    pieces = [(label, trim_utterance(make_utterance(i))) for i, label in enumerate(LABELS[4:8])]
    return build_note(pieces, np.random.default_rng(seed))


def test_true_spans_lie_inside_the_note_in_order_and_hold_all_speech():
    note = make_note()

    ends = [edge for span in note.spans for edge in (span.start_ms, span.end_ms)]

    assert ends == sorted(ends)
    assert ends[0] >= 1000
    assert note.duration_ms - ends[-1] >= 1000
    assert note.speech.size == note.duration_ms * SAMPLES_PER_MS
    assert [span.label for span in note.spans] == LABELS[4:8]
    assert not note.speech[~select_speech(note)].any()


def test_gaps_and_edges_have_the_lengths_that_the_protocol_names():
    for seed in range(20):
        note = make_note(seed)
        gaps = [after.start_ms - before.end_ms for before, after in zip(note.spans, note.spans[1:], strict=False)]

        assert all(500 <= gap <= 4000 for gap in gaps)
        assert 1000 <= note.spans[0].start_ms <= 10_000
        assert 1000 <= note.duration_ms - note.spans[-1].end_ms <= 10_000


@pytest.mark.parametrize("snr_db", [40, 20, 10, 5])
def test_noise_has_the_ratio_that_was_asked_for(snr_db: float):
    note = make_note()
    mixed = mix_note(note, snr_db).astype(np.float64)
    is_speech = select_speech(note)

    noise_power = np.mean(mixed[~is_speech] ** 2)
    speech_power = np.mean(mixed[is_speech] ** 2) - noise_power

    assert 10 * np.log10(speech_power / noise_power) == pytest.approx(snr_db, abs=1.0)
    assert np.abs(mixed).max() == pytest.approx(0.95)


def test_the_same_seed_makes_the_same_note_and_another_seed_another():
    first, again, other = mix_note(make_note(3), 20), mix_note(make_note(3), 20), mix_note(make_note(4), 20)

    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_a_mixed_note_always_has_two_emotions_and_repeats_no_utterance():
    for seed in range(50):
        drawn = draw_utterances(LABELS, np.random.default_rng(seed), is_mixed=True)

        assert len({LABELS[i] for i in drawn}) == 2
        assert len(set(drawn)) == len(drawn)
        assert 4 <= len(drawn) <= 8


def test_the_oracle_keeps_true_speech_and_no_detector_keeps_everything():
    note = make_note()
    signal = mix_note(note, 20)
    spans = [(span.start_ms, span.end_ms) for span in note.spans]
    speech_ms = sum(end - start for start, end in spans)

    oracle = cut_windows(find_speech("oracle", signal, note.spans), 3000)
    everything = cut_windows(find_speech("none", signal, note.spans), 3000)

    assert sum(window.new_speech_ms for window in oracle) == speech_ms
    assert sum(window.new_speech_ms for window in everything) == note.duration_ms
    assert all(measure_overlap(window, spans) == window.speech_ms for window in oracle)


def test_every_way_of_finding_speech_stays_inside_the_note():
    note = make_note()
    signal = mix_note(note, 10)
    for finder in FINDERS:
        segments = find_speech(finder, signal, note.spans)

        assert all(0 <= segment.start_ms < segment.end_ms <= note.duration_ms for segment in segments)


def test_an_unknown_way_of_finding_speech_is_named_with_the_allowed_ones():
    note = make_note()

    with pytest.raises(ValueError, match=r"'silero'.*oracle"):
        find_speech("silero", note.speech, note.spans)


def test_under_half_a_second_of_speech_gives_no_window():
    note = make_note()

    assert cut_windows(find_speech("none", note.speech[: 400 * SAMPLES_PER_MS], note.spans), 8000) == []
