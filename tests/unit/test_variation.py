"""A varied voice is the same speech, shorter or longer, and nothing of it depends on anything but its chance."""

import numpy as np
import pytest

from tests.unit.sounds import make_voice
from training.sounds.variation import KEPT, MIN_SAMPLES, SPEED, vary_voice

RATE_HZ = 16_000


@pytest.mark.parametrize("seed", range(8))
def test_a_varied_voice_is_speech_of_an_allowed_length(seed):
    voice = make_voice(3.0)

    varied = vary_voice(voice, np.random.default_rng(seed))

    shortest = KEPT[0] * SPEED[0] * 0.5 * voice.size  # The detector may leave pauses out.
    assert varied.dtype == np.float32
    assert max(MIN_SAMPLES * SPEED[0], shortest) <= varied.size <= voice.size * SPEED[1] + 1
    assert np.isfinite(varied).all()
    np.testing.assert_array_equal(varied, vary_voice(voice, np.random.default_rng(seed)))


def test_chance_makes_several_voices_of_one():
    voice = make_voice(3.0)

    assert len({vary_voice(voice, np.random.default_rng(seed)).tobytes() for seed in range(8)}) == 8
