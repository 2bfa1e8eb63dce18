"""Speech is not lost where channels cancel, one is dead or far quieter, or each holds another person."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.unit.recordings import encode_channels, encode_native
from tests.unit.sounds import Signal, make_noise, make_silence, make_sweep, make_voice
from worker.audio.decode import iter_blocks
from worker.audio.mono import FADE_S, MonoMixer

VOICE = make_voice(5.0)
RATE_HZ = 16_000


def mix(*channels: Signal, n_blocks: int = 1) -> Signal:
    mixer = MonoMixer(RATE_HZ, len(channels))
    mixed: list[Signal] = []
    for block in np.array_split(np.stack(channels, axis=1), n_blocks):
        mixed += mixer.feed(block)
    return np.concatenate(mixed + mixer.flush())


def decode(recording: bytes) -> Signal:
    return np.concatenate(list(iter_blocks(io.BytesIO(recording))))


def test_channels_in_opposite_phase_give_one_of_them() -> None:
    assert np.array_equal(mix(VOICE, -VOICE), VOICE)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_dead_channel_gives_the_other(is_first: bool) -> None:
    dead = np.zeros_like(VOICE)

    assert np.array_equal(mix(VOICE, dead) if is_first else mix(dead, VOICE), VOICE)


@pytest.mark.parametrize("gain", [0.0, 0.01, 0.1, -0.1, -0.9])
def test_a_far_quieter_or_cancelling_channel_gives_the_louder_one(gain: float) -> None:
    assert np.array_equal(mix(VOICE, VOICE * np.float32(gain)), VOICE)


def test_a_channel_of_noise_gives_the_voice() -> None:
    noise = make_noise(5.0, peak=0.02)

    assert np.array_equal(mix(noise, VOICE), VOICE)


@pytest.mark.parametrize("n_channels", [2, 3, 6])
def test_channels_that_agree_are_averaged(n_channels: int) -> None:
    gains = np.linspace(0.7, 1.0, n_channels, dtype=np.float32)

    np.testing.assert_allclose(mix(*(VOICE * gain for gain in gains)), VOICE * gains.mean(), atol=1e-6)


def test_independent_channels_of_one_level_are_averaged() -> None:
    left, right = make_noise(3.0, seed=1), make_noise(3.0, seed=2)

    np.testing.assert_allclose(mix(left, right), (left + right) / 2, atol=1e-6)


def test_one_voice_in_the_middle_of_six_channels_keeps_its_level() -> None:
    silence = np.zeros_like(VOICE)

    assert np.array_equal(mix(silence, silence, VOICE, silence, silence, silence), VOICE)


def test_two_people_on_a_channel_each_are_both_heard_at_their_level() -> None:
    one, other = make_voice(4.0, seed=1), make_voice(4.0, seed=2, pitch_hz=220.0)
    left, right = np.append(one, make_silence(4.0)), np.append(make_silence(4.0), other)

    mixed = mix(left, right)

    n_fade = int(FADE_S * RATE_HZ)
    assert np.array_equal(mixed[: 4 * RATE_HZ], one)
    assert np.array_equal(mixed[4 * RATE_HZ + n_fade :], other[n_fade:])


def test_the_choice_changes_without_a_step() -> None:
    tone = make_sweep(6.0)
    left = np.concatenate((tone[:48_000], np.zeros(48_000, dtype=np.float32)))
    right = tone

    mixed = mix(left, -right)

    assert np.abs(np.diff(mixed)).max() < 2 * np.abs(np.diff(tone)).max()


@pytest.mark.parametrize("n_blocks", [3, 17, 4999])
def test_the_size_of_the_blocks_changes_nothing(n_blocks: int) -> None:
    other = np.concatenate((VOICE[:30_000], -VOICE[30_000:60_000], VOICE[60_000:] * np.float32(0.05)))

    assert np.array_equal(mix(VOICE, other, n_blocks=n_blocks), mix(VOICE, other))


def test_one_channel_passes_untouched() -> None:
    assert np.array_equal(mix(VOICE), VOICE)


OPPOSITE = np.stack((VOICE, -VOICE), axis=1)


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("AIFF", "PCM_24")])
def test_a_recording_in_opposite_phase_decodes_to_one_of_its_channels(kind: str, subtype: str) -> None:
    np.testing.assert_array_equal(
        decode(encode_native(kind, subtype, OPPOSITE)), decode(encode_native(kind, subtype, VOICE))
    )


def test_a_lossy_recording_in_opposite_phase_keeps_its_voice() -> None:
    decoded = decode(encode_channels("mp4", "aac", OPPOSITE, RATE_HZ, "stereo"))

    assert np.sqrt(np.mean(np.square(decoded))) == pytest.approx(np.sqrt(np.mean(np.square(VOICE))), rel=0.1)
