"""Pitch, level and onsets of voices against Praat, which phoneticians measure with, over the telephone too."""

from pathlib import Path

import numpy as np
import parselmouth
import pytest

from tests.unit.voices import SIZES, glide, over_the_telephone, speak
from worker.audio.decode import Limits, iter_blocks
from worker.audio.errors import AudioError
from worker.audio.vad import SpeechDetector
from worker.audio.voice import STRETCH_MS, VoiceMeter

EXAMPLES = Path(__file__).parents[2] / "examples" / "notes"
CODECS = ("G.711", "AMR", "Opus")
RANGES_HZ = {"man": (80.0, 140.0), "woman": (160.0, 280.0), "child": (240.0, 390.0)}
FRAME_MS = 30


def find_speech(signal):
    detector = SpeechDetector()
    return detector.feed(signal) + detector.flush()


def measure(signal):
    meter = VoiceMeter(FRAME_MS)
    for segment in find_speech(signal):
        meter.add(segment.start_ms, segment.frames)
    return meter.finish(duration_ms=len(signal) // 16)


def track_by_praat(signal):
    sound = parselmouth.Sound(signal.astype(np.float64), 16_000)
    return sound.to_pitch_ac(time_step=0.01, pitch_floor=60, pitch_ceiling=450)


def semitones(hertz):
    return 12 * np.log2(hertz)


def spread(values):
    low, high = np.quantile(values, (0.1, 0.9))
    return (high - low) / 2.5631


def judge_level_by_praat(signal):
    """Standard deviation in stretches of 4 s of what lies within 20 dB of the loud, of Praat's intensity in the telephone's band."""
    sound = parselmouth.praat.call(
        parselmouth.Sound(signal.astype(np.float64), 16_000), "Filter (pass Hann band)", 300, 3400, 20
    )
    levels = sound.to_intensity(minimum_pitch=50, time_step=FRAME_MS / 1000).values[0]
    n = STRETCH_MS // FRAME_MS
    stretches = [levels[at : at + n] for at in range(0, len(levels) - n + 1, n)]
    return np.mean([part[part >= np.percentile(part, 95) - 20].std() for part in stretches])


def count_by_de_jong_and_wempe(signal):
    """Peaks of the intensity, voiced, over 25 dB under the loudest, with a dip of 2 dB behind each."""
    sound = parselmouth.Sound(signal.astype(np.float64), 16_000)
    intensity = sound.to_intensity(minimum_pitch=50)
    pitch = sound.to_pitch_ac(time_step=0.02, pitch_floor=30, voicing_threshold=0.25, pitch_ceiling=450)
    levels, times = intensity.values[0], intensity.xs()
    least = max(np.quantile(levels, 0.99) - 25, levels.min())
    peaks = [
        at for at in range(1, len(levels) - 1) if levels[at - 1] < levels[at] >= levels[at + 1] and levels[at] > least
    ]
    ends = [*peaks[1:], len(levels)]
    dipped = [at for at, end in zip(peaks, ends, strict=True) if levels[at] - levels[at:end].min() >= 2]
    return sum(bool(pitch.get_value_at_time(times[at]) > 0) for at in dipped)


# Noise hides frames of low pitch first, whose harmonics are weak where telephones begin to pass; Praat loses others.
@pytest.mark.parametrize(("snr_db", "tolerance"), [(30, 0.9), (20, 0.9), (10, 1.7)])
@pytest.mark.parametrize("vibrato", [0.0, 0.03], ids=["glide", "vibrato"])
@pytest.mark.parametrize("who", RANGES_HZ)
def test_pitch_is_that_of_the_voice_and_of_praat(who, vibrato, snr_db, tolerance):
    pitch = glide(12.0, *RANGES_HZ[who], vibrato=vibrato)
    signal = speak(pitch, size=SIZES[who], snr_db=snr_db, syllables_per_s=3.7)
    by_praat = track_by_praat(signal).selected_array["frequency"]
    by_praat = semitones(by_praat[by_praat > 0])

    found = measure(signal)

    median = semitones(found["pitch_median_hz"])
    assert median == pytest.approx(np.median(semitones(pitch)), abs=tolerance)
    assert median == pytest.approx(np.median(by_praat), abs=tolerance)
    assert found["pitch_spread_semitones"] == pytest.approx(spread(semitones(pitch)), rel=0.12)
    assert found["pitch_spread_semitones"] == pytest.approx(spread(by_praat), rel=0.12)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("who", RANGES_HZ)
def test_a_telephone_changes_no_measure_of_a_voice(who, codec):
    signal = speak(glide(12.0, *RANGES_HZ[who]), size=SIZES[who], syllables_per_s=3.7, snr_db=25)

    wide, narrow = measure(signal), measure(over_the_telephone(signal, codec))

    assert semitones(narrow["pitch_median_hz"]) == pytest.approx(semitones(wide["pitch_median_hz"]), abs=0.5)
    assert narrow["pitch_spread_semitones"] == pytest.approx(wide["pitch_spread_semitones"], rel=0.1)
    assert narrow["level_spread_db"] == pytest.approx(wide["level_spread_db"], rel=0.05)
    assert narrow["onsets_per_s"] == pytest.approx(wide["onsets_per_s"], rel=0.05)


def test_rumble_under_the_band_of_telephones_changes_no_level():
    signal = speak(glide(12.0, 80, 140), syllables_per_s=3.7)
    rumble = signal + 0.1 * np.sin(2 * np.pi * 120 * np.arange(len(signal)) / 16_000).astype(np.float32)

    assert measure(rumble)["level_spread_db"] == pytest.approx(measure(signal)["level_spread_db"], rel=0.05)


@pytest.mark.parametrize("depth_db", [6.0, 12.0, 18.0])
def test_level_spread_is_that_of_praats_intensity(depth_db):
    signal = speak(glide(12.0, 160, 280), depth_db=depth_db, syllables_per_s=3.7)

    speech = np.concatenate([segment.signal for segment in find_speech(signal)])

    assert measure(signal)["level_spread_db"] == pytest.approx(judge_level_by_praat(speech), rel=0.12)


@pytest.mark.parametrize("per_s", [2, 3, 4, 5, 6, 7])
def test_onsets_are_the_syllables_that_were_spoken_and_those_of_de_jong_and_wempe(per_s):
    signal = speak(glide(12.0, 120, 180), syllables_per_s=per_s, depth_db=12.0)

    n_onsets = measure(signal)["onsets_per_s"] * 12.0

    assert n_onsets == pytest.approx(12 * per_s, abs=1.5)
    assert n_onsets == pytest.approx(count_by_de_jong_and_wempe(signal), abs=2.5)


def test_example_notes_are_measured_as_praat_measures_them():
    agree, onsets, levels = [], [], []
    for path in sorted(EXAMPLES.rglob("*.*"))[::2]:
        try:
            with path.open("rb") as file:
                signal = np.concatenate(list(iter_blocks(file, limits=Limits())))
        except AudioError:
            continue  # some are broken on purpose
        segments = find_speech(signal)
        if sum(segment.end_ms - segment.start_ms for segment in segments) < STRETCH_MS:
            continue
        for segment in segments:
            agree += compare_frames(segment)
        speech = np.concatenate([segment.signal for segment in segments])
        found = measure(signal)
        onsets.append((found["onsets_per_s"] * len(speech) / 16_000, count_by_de_jong_and_wempe(speech)))
        levels.append((found["level_spread_db"], judge_level_by_praat(speech)))

    assert len(onsets) >= 5
    assert np.mean(agree) >= 0.85
    ours, theirs = np.transpose(onsets).sum(axis=1)
    assert ours == pytest.approx(theirs, rel=0.15)
    assert max(abs(a - b) / b for a, b in levels) <= 0.12


def compare_frames(segment):
    """Say of each frame that both find pitched whether they agree to a semitone."""
    if len(segment.signal) < 16 * 250:
        return []
    by_praat = track_by_praat(segment.signal)
    agree = []
    for place in np.flatnonzero(segment.frames.is_pitched):
        hertz = by_praat.get_value_at_time((place + 0.5) * FRAME_MS / 1000)
        if hertz > 0:
            agree.append(abs(semitones(segment.frames.pitch_hz[place] / hertz)) <= 1)
    return agree
