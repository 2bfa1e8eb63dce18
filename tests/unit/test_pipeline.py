"""From bytes to note: what is spoken is scored, what is not is said, and the caller can watch and stop."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.bundles import DIMENSIONS, LABELS, WEIGHTS, make_graph, write_bundle
from tests.unit.recordings import encode_foreign, encode_native
from tests.unit.sounds import Signal, make_noise, make_silence, make_voice
from worker.audio.decode import Limits
from worker.audio.errors import AudioError, AudioReason
from worker.scoring.bundle import load_bundle
from worker.scoring.deadline import Deadline
from worker.scoring.note import NoteScores, NoteStatus
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer
from worker.scoring.stopwatch import Stopwatch

GATE = {"output": "speech", "threshold": 0.5}


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return Scorer(load_bundle(write_bundle(tmp_path_factory.mktemp("bundle"))))


def build(folder: Path, *, gate: bool = False, **changes: Any) -> Scorer:
    weights_of = WEIGHTS if "dimensions" in changes else None
    return Scorer(load_bundle(write_bundle(folder, make_graph(gate=gate, weights_of=weights_of), **changes)))


def score(signal: Signal, scorer: Scorer, **options: Any) -> NoteScores:
    return score_recording(io.BytesIO(encode_native("WAV", "PCM_16", signal)), scorer, **options)


def make_note() -> Signal:
    parts = [make_silence(1.0), make_voice(6.0), make_silence(2.0), make_voice(7.0, pitch_hz=210, seed=1)]
    return np.concatenate([*parts, make_silence(1.0)])


def make_siren(duration_s: float) -> Signal:
    """A loud howl: pitched, so that the voicing gate passes it, and much louder on average than a voice."""
    seconds = np.arange(int(duration_s * 16_000)) / 16_000
    phase = np.cumsum(250 + 120 * np.sin(2 * np.pi * 0.9 * seconds)) / 16_000
    return (0.8 * np.sign(np.sin(2 * np.pi * phase))).astype(np.float32)


def test_a_note_is_scored(scorer: Scorer) -> None:
    note = score(make_note(), scorer)

    assert note.status is NoteStatus.SCORED
    assert note.duration_ms == 17_000
    assert note.speech_ms == pytest.approx(13_500, abs=400)
    assert note.n_windows == len(note.segments) == 2
    assert list(note.scores) == LABELS
    assert sum(note.scores.values()) == pytest.approx(1.0)
    assert note.label == max(note.scores, key=lambda label: note.scores[label])
    assert note.confidence == note.scores[note.label]
    assert note.is_uncertain == (note.confidence < 0.5)
    assert list(note.trend) == LABELS


def test_segments_lie_in_the_recording_and_in_order(scorer: Scorer) -> None:
    note = score(make_note(), scorer)

    assert note.segments[0].start_ms == pytest.approx(1000, abs=120)
    assert all(0 <= one.start_ms < one.end_ms <= note.duration_ms for one in note.segments)
    assert all(one.end_ms <= other.start_ms for one, other in itertools.pairwise(note.segments))
    assert sum(segment.speech_ms for segment in note.segments) == note.speech_ms


def test_the_same_recording_scores_the_same_after_others(scorer: Scorer) -> None:
    first = score(make_note(), scorer)
    score(make_voice(20.0, seed=5), scorer)

    assert score(make_note(), scorer) == first


def test_two_containers_of_the_same_samples_score_the_same(scorer: Scorer) -> None:
    samples = np.rint(make_note() * 32767).astype(np.int16)

    wav, flac = (
        score_recording(io.BytesIO(encode_native(kind, "PCM_16", samples)), scorer) for kind in ("WAV", "FLAC")
    )

    assert flac == wav


def test_a_phone_recording_is_scored(scorer: Scorer) -> None:
    note = score_recording(io.BytesIO(encode_foreign("ipod", "aac", make_note(), 44_100)), scorer)

    assert note.status is NoteStatus.SCORED
    assert note.duration_ms == pytest.approx(17_000, abs=60)


@pytest.mark.parametrize(
    "signal",
    [make_silence(5.0), make_noise(12.0), make_noise(12.0, exponent=2.0), make_voice(0.1)],
    ids=["silence", "white noise", "brown noise", "a tenth of a second"],
)
def test_without_speech_there_are_no_scores(scorer: Scorer, signal: Signal) -> None:
    note = score(signal, scorer)

    assert note.status is NoteStatus.NO_SPEECH
    assert (note.label, note.confidence, note.is_uncertain) == (None, None, None)
    assert (note.scores, note.segments, note.trend, note.n_windows) == ({}, (), {}, 0)
    assert note.speech_ms < 500


def test_noise_is_counted_as_rejected(scorer: Scorer) -> None:
    note = score(make_noise(12.0), scorer)

    assert (note.duration_ms, note.speech_ms, note.rejected_ms) == (12_000, 0, 12_000)


def test_windows_that_the_model_does_not_take_for_speech_are_not_pooled(tmp_path: Path) -> None:
    gated = build(tmp_path, gate=True, speech_gate=GATE)

    note = score(np.concatenate([make_voice(8.0), make_siren(16.0)]), gated)

    assert note.status is NoteStatus.SCORED
    assert note.n_windows == 1
    assert note.speech_ms == 8000
    assert note.rejected_ms > 13_000


def test_a_recording_that_the_model_takes_for_no_speech_is_no_speech(tmp_path: Path) -> None:
    gated = build(tmp_path, gate=True, speech_gate=GATE)

    note = score(make_siren(10.0), gated)

    assert note.status is NoteStatus.NO_SPEECH
    assert note.speech_ms == 0
    assert note.rejected_ms > 8000


def test_the_weight_of_the_manifest_decides(tmp_path: Path) -> None:
    voice = np.concatenate([make_voice(8.0), make_noise(2.0, peak=0.2) + make_voice(2.0, peak=0.6)])
    by_speech = score(voice, build(tmp_path / "speech"))
    equal = score(voice, build(tmp_path / "equal", pooling={"kind": "mean", "weight": "equal"}))

    assert [one.scores for one in by_speech.segments] == [one.scores for one in equal.segments]
    first, second = (segment.scores["anger"] for segment in equal.segments)
    assert equal.scores["anger"] == pytest.approx((first + second) / 2)
    assert by_speech.scores["anger"] == pytest.approx((first * 8000 + second * 2000) / 10_000, rel=0.01)


def test_dimensions_are_pooled_with_the_weights_of_the_scores(tmp_path: Path) -> None:
    voice = np.concatenate([make_voice(8.0), make_noise(2.0, peak=0.2) + make_voice(2.0, peak=0.6)])
    by_speech = score(voice, build(tmp_path / "speech", dimensions=DIMENSIONS))
    equal = score(voice, build(tmp_path / "equal", dimensions=DIMENSIONS, pooling={"kind": "mean", "weight": "equal"}))

    assert by_speech.dimensions["arousal"] != pytest.approx(equal.dimensions["arousal"], abs=1e-4)
    for note in (by_speech, equal):
        for said in (note, *note.segments):
            anger, happiness, _, sadness = (said.scores[label] for label in LABELS)
            assert list(said.dimensions) == ["arousal", "valence"]
            assert said.dimensions["arousal"] == pytest.approx(anger + happiness, abs=1e-6)
            assert said.dimensions["valence"] == pytest.approx(happiness - anger - sadness, abs=1e-6)


def test_the_trend_tells_of_dimensions_too(tmp_path: Path) -> None:
    note = score(make_note(), build(tmp_path, dimensions=DIMENSIONS))

    first, second = (segment.dimensions["valence"] for segment in note.segments)
    assert list(note.trend) == [*LABELS, "arousal", "valence"]
    assert (note.trend["valence"].start_mean, note.trend["valence"].end_mean) == (first, second)


def test_without_dimensions_in_the_bundle_there_are_none(scorer: Scorer) -> None:
    note = score(make_note(), scorer)

    assert [said.dimensions for said in (note, *note.segments)] == [{}, {}, {}]


def test_without_speech_there_are_no_dimensions(tmp_path: Path) -> None:
    assert score(make_silence(5.0), build(tmp_path, dimensions=DIMENSIONS)).dimensions == {}


def test_progress_is_told_and_grows(scorer: Scorer) -> None:
    told: list[int] = []

    note = score(make_note(), scorer, on_progress=told.append)

    assert told == sorted(told)
    assert told[-1] == note.duration_ms


def test_what_the_listener_raises_ends_the_scoring(scorer: Scorer) -> None:
    def stop(_processed_ms: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        score(make_note(), scorer, on_progress=stop)


def test_the_stopwatch_accounts_for_all_the_time(scorer: Scorer) -> None:
    ticks = itertools.count()
    stopwatch = Stopwatch(lambda: float(next(ticks)))

    score(make_note(), scorer, stopwatch=stopwatch)

    assert set(stopwatch.seconds) == {"decode", "vad", "model", "voice", "rest"}
    assert all(seconds > 0 for seconds in stopwatch.seconds.values())
    assert sum(stopwatch.seconds.values()) == next(ticks) - 1


def test_a_stopwatch_stops_nothing(scorer: Scorer) -> None:
    hours = itertools.count(step=3600)

    note = score(make_note(), scorer, stopwatch=Stopwatch(lambda: float(next(hours))))

    assert note.status is NoteStatus.SCORED


def test_decoding_that_takes_too_long_is_stopped(scorer: Scorer) -> None:
    ticks = itertools.count(step=10)

    with pytest.raises(AudioError) as caught:
        score(make_note(), scorer, deadline=Deadline(25.0, lambda: float(next(ticks))))
    with pytest.raises(AudioError, match="TIME_LIMIT"):
        score(make_note(), scorer, limits=Limits(max_decode_s=1e-6))

    assert caught.value.reason is AudioReason.TIME_LIMIT


def test_a_recording_that_cannot_be_decoded_raises_its_reason(scorer: Scorer) -> None:
    with pytest.raises(AudioError) as caught:
        score_recording(io.BytesIO(b"hello"), scorer)

    assert caught.value.reason is AudioReason.NOT_AUDIO
