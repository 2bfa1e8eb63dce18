"""Which short recordings are laid one after another, and what the joined one is."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.sounds import RATE_HZ, make_noise, make_voice
from training.corpora import Kind, Utterance
from training.sounds.joining import GAP_S, join_signals, plan_joins


def make_words(durations_s, *, speaker="george", label="neutral", **further):
    return [
        Utterance(Path(f"{i}.ogg"), f"{speaker}-{label}-{i}", speaker, label, "fsdd", duration_s=duration_s, **further)
        for i, duration_s in enumerate(durations_s)
    ]


def plan(words, seed=0, **further):
    return plan_joins(words, np.random.default_rng(seed), **further)


def measure(words, group, *, gap_s):
    return sum(words[index].duration_s for index in group) + gap_s * (len(group) - 1)


def test_every_word_is_in_one_group_and_no_group_is_longer_than_the_span():
    words = make_words(np.random.default_rng(1).uniform(0.2, 1.3, 200))

    groups = plan(words)

    assert sorted(index for group in groups for index in group) == list(range(200))
    assert all(measure(words, group, gap_s=GAP_S[1]) <= 8.0 for group in groups)
    assert all(measure(words, group, gap_s=GAP_S[1]) >= 3.0 for group in groups[:-1])
    assert len(groups) < 60


def test_nobody_is_joined_with_another_speaker_emotion_or_kind_of_label():
    words = [
        *make_words([0.4] * 12),
        *make_words([0.4] * 12, speaker="jackson"),
        *make_words([0.4] * 12, label="anger"),
        *make_words([0.4] * 12, kind=Kind.ASSUMED_NEUTRAL),
    ]

    groups = plan(words)

    assert all(len({(words[i].voice, words[i].label, words[i].kind) for i in group}) == 1 for group in groups)
    assert any(len(group) > 1 for group in groups)


def test_what_is_long_enough_stays_alone():
    words = make_words([0.4, 3.0, 0.4, 20.0, 0.4])

    groups = plan(words)

    assert {(1,), (3,)} <= set(groups)


def test_words_of_a_set_without_speaker_ids_stay_alone_unless_it_is_asked_for():
    words = make_words([0.5] * 20, speaker="everybody", is_speaker_known=False)

    assert sorted(plan(words)) == [(index,) for index in range(20)]
    assert len(plan(words, is_anybody_joined=True)) < 10


def test_a_plan_depends_on_its_seed_and_on_nothing_else():
    words = make_words([0.4] * 50)

    assert plan(words, seed=1) == plan(words, seed=1)
    assert plan(words, seed=1) != plan(words, seed=2)


def test_nothing_joins_to_nothing():
    assert plan([]) == ()


def test_a_recording_whose_duration_is_not_known_is_refused():
    with pytest.raises(ValueError, match="fsdd/george-neutral-0 has no duration; joining needs a corpus that was insp"):
        plan(make_words([None]))


@pytest.mark.parametrize("span_s", [(0.0, 8.0), (8.0, 3.0), (float("nan"), 3.0)])
def test_a_span_that_is_none_is_refused(span_s):
    with pytest.raises(ValueError, match="allowed are two lengths over 0, the shorter one first"):
        plan(make_words([0.4]), span_s=span_s)


def test_joined_words_stand_apart_in_their_order_with_their_own_noise_between():
    words = [make_voice(0.5, pitch_hz=pitch_hz, seed=1) for pitch_hz in (110.0, 180.0, 250.0)]
    noisy = [word + make_noise(0.5, seed=index, peak=0.002) for index, word in enumerate(words)]

    joined = join_signals(noisy, np.random.default_rng(0))

    n_gaps = joined.size - sum(word.size for word in noisy)
    assert 2 * GAP_S[0] * RATE_HZ <= n_gaps <= 2 * GAP_S[1] * RATE_HZ
    assert joined.dtype == np.float32
    assert np.abs(joined).max() <= 1.0
    middle = slice(100, -100)
    np.testing.assert_array_equal(joined[: noisy[0].size][middle], noisy[0][middle])
    np.testing.assert_array_equal(joined[-noisy[2].size :][middle], noisy[2][middle])
    gap = joined[noisy[0].size : noisy[0].size + int(GAP_S[0] * RATE_HZ)]
    assert 1e-4 < gap.std() < 0.05


def test_the_edges_of_words_that_were_trimmed_hard_are_no_steps():
    square = np.full(4_000, 0.5, dtype=np.float32)

    joined = join_signals([square, square], np.random.default_rng(0))

    assert joined[0] == joined[-1] == 0.0
    np.testing.assert_array_equal(square, np.full(4_000, 0.5, dtype=np.float32))


def test_one_word_alone_is_as_it_was():
    voice = make_voice(0.4)

    assert join_signals([voice], np.random.default_rng(0)) is voice


def test_no_word_at_all_is_refused():
    with pytest.raises(ValueError, match="0 signals to join"):
        join_signals([], np.random.default_rng(0))


def test_words_too_short_for_a_frame_are_joined_all_the_same():
    joined = join_signals([np.full(3, 0.1, dtype=np.float32)] * 2, np.random.default_rng(0))

    assert joined.size >= 6 + GAP_S[0] * RATE_HZ
    assert np.isfinite(joined).all()
