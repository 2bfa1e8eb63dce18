"""Recipes: the paper's values, each part switchable, and what augmentation does to a window."""

import json
from dataclasses import replace

import numpy as np
import pytest

from training.corpora.layouts.listed_sets import EVERYDAY
from training.data.files import read_record
from training.fitting.further import spread_weight
from training.fitting.presets import DEFAULT, PAPER, PARTS, RECIPES, find_recipe, leave_out
from training.fitting.recipe import Further, Recipe, Tune
from training.sounds.paper_augment import Augmentation, apply_augmentation

NOTHING = Augmentation(
    pitch_semitones=None, gain_db=None, noise_amplitude=None, is_polarity_flipped=False, probability=1.0
)


@pytest.fixture
def tone():
    return (0.5 * np.sin(np.arange(16_000) / 20)).astype(np.float32)


def test_the_paper_preset_holds_the_papers_values():
    assert (PAPER.epochs, PAPER.batch_size, PAPER.peak_learning_rate, PAPER.warm_up) == (25, 16, 5e-5, 0.1)
    assert (PAPER.weight_decay, PAPER.patience, PAPER.gamma, PAPER.label_smoothing) == (0.01, 6, 2.0, 0.1)
    assert (PAPER.front_end.trim_top_db, PAPER.front_end.pre_emphasis, PAPER.front_end.peak) == (20.0, 0.97, 0.95)
    assert PAPER.max_duration_s == 8.0
    assert PAPER.augmentation == Augmentation(2.0, (-18.0, 6.0), (0.001, 0.015), is_polarity_flipped=True)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_left_out(part):
    changed = [leave_out(recipe, [part]) != recipe for recipe in RECIPES.values() if recipe.stages is None]
    assert any(changed)


def test_a_further_corpus_of_a_recipe_with_stages_can_be_left_out_and_nothing_else():
    kept = leave_out(RECIPES["default"], ["fsdd", "emodb"]).find_stages().tune.further
    everything = RECIPES["default"].find_stages().tune.further

    assert {item.corpus for item in everything} - {item.corpus for item in kept} == {"fsdd", "emodb"}
    with pytest.raises(ValueError, match=r"--without \['pitch'\].*trains beside CREMA-D on .*'emodb'"):
        leave_out(RECIPES["default"], ["pitch"])


def test_a_recipe_survives_json():
    for recipe in RECIPES.values():
        assert read_record(Recipe, json.loads(json.dumps(recipe.as_dict()))) == recipe


@pytest.mark.parametrize("change", [{"epochs": 0}, {"warm_up": 1.0}, {"gamma": -1.0}, {"colour": 1}])
def test_a_value_that_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        find_recipe("paper", **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"copies": ("room",)}, "clean among them"),
        ({"seeds": (1, 1)}, "different ones"),
        ({"kept": 1.5}, "kept is 1.5"),
        ({"further": (Further("emodb", 1.0, 0.6), Further("fsdd", 1.0, 0.4))}, "1.0 of a round"),
    ],
)
def test_a_tuning_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Tune(**change)


def test_an_unknown_part_or_preset_is_refused_by_name():
    with pytest.raises(ValueError, match="reverb"):
        leave_out(PAPER, ["reverb"])
    with pytest.raises(ValueError, match="papr"):
        find_recipe("papr")


def test_without_any_part_augmentation_changes_nothing(tone):
    assert np.array_equal(apply_augmentation(tone, NOTHING, np.random.default_rng(0)), tone)


def test_polarity_turns_the_sign(tone):
    flipped = apply_augmentation(tone, replace(NOTHING, is_polarity_flipped=True), np.random.default_rng(0))
    assert np.array_equal(flipped, -tone)


def test_gain_and_noise_stay_in_the_papers_ranges(tone):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        louder = apply_augmentation(tone, replace(NOTHING, gain_db=(-18.0, 6.0)), rng)
        gain_db = 20 * np.log10(np.abs(louder[:2000]).max() / np.abs(tone[:2000]).max())
        assert -18.0 - 1e-3 <= gain_db <= 6.0 + 1e-3
        noisy = apply_augmentation(tone, replace(NOTHING, noise_amplitude=(0.001, 0.015)), rng)
        assert 0.0009 < float((noisy - tone).std()) < 0.016


def test_pitch_keeps_the_length(tone):
    shifted = apply_augmentation(tone, replace(NOTHING, pitch_semitones=2.0), np.random.default_rng(0))
    assert shifted.shape == tone.shape
    assert not np.allclose(shifted, tone, atol=0.05)


def test_ordinary_speech_weighs_the_same_where_some_sets_of_it_are_left_out():
    further = DEFAULT.stages.tune.further
    first, *others = [item.corpus for item in further if item.corpus in EVERYDAY]
    for left_out in ((first,), others, ("emodb", first)):
        spread = spread_weight(further, left_out)
        for name in ("weight", "drawn"):
            kept = sum(
                getattr(item, name) for item in spread if item.corpus in EVERYDAY and item.corpus not in left_out
            )
            assert kept == pytest.approx(sum(getattr(item, name) for item in further if item.corpus in EVERYDAY))
        assert spread[0] == further[0]
    assert spread_weight(further, ("emodb",)) == further
    assert spread_weight(further, (first, *others)) == further
