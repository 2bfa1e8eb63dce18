"""The training loop: interruption, early stopping, checkpoints, schedule and batches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from nets import LABELS, TinyNet, make_tone, make_tones
from sounds import make_silence, make_voice

from training.data.windows import WindowSet, WindowStore
from training.fitting.checkpoint import CheckpointMismatch
from training.fitting.loop import fit, shape_rate
from training.fitting.predict import predict
from training.fitting.presets import FROZEN, PAPER, leave_out
from training.measures.metrics import measure_ua
from worker.audio.frontend import FrontEnd

RECIPE = replace(PAPER, front_end=FrontEnd(), epochs=4, batch_size=8, peak_learning_rate=3e-2)


class Interrupted(Exception):
    pass


def train(checkpoint, *, recipe=RECIPE, seed=3, on_progress=lambda _: None, n_tones=30):
    torch.manual_seed(seed)
    net = TinyNet()
    fitted = fit(
        net,
        make_tones(0, n_tones, recipe),
        make_tones(500, 12, recipe),
        recipe=recipe,
        seed=seed,
        checkpoint=checkpoint,
        on_progress=on_progress,
    )
    return net, fitted


@pytest.mark.parametrize("n_done", [1, 2, 3])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, n_done):
    whole, expected = train(tmp_path / "whole.pt")

    def interrupt(progress):
        if progress.n_epochs_done == n_done and progress.share > 0.3:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(tmp_path / "broken.pt", on_progress=interrupt)
    torch.manual_seed(99)
    resumed, found = train(tmp_path / "broken.pt")
    assert found == expected
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_training_learns_pitch_from_tones(tmp_path):
    recipe = replace(RECIPE, epochs=12, augmentation=None)
    net, fitted = train(tmp_path / "c.pt", recipe=recipe, n_tones=48)
    held_out = make_tones(900, 20, recipe)
    assert fitted.epochs[-1].loss < fitted.epochs[0].loss
    assert measure_ua(predict(net, held_out), held_out.target) > 0.6


def test_training_stops_when_validation_no_longer_improves(tmp_path):
    recipe = replace(RECIPE, epochs=20, patience=2, peak_learning_rate=1e-9, warm_up=0.0)
    _, fitted = train(tmp_path / "c.pt", recipe=recipe)
    assert fitted.best.number == 0
    assert [epoch.number for epoch in fitted.epochs] == [0, 1, 2]


def test_the_net_ends_with_the_weights_of_its_best_epoch(tmp_path):
    net, fitted = train(tmp_path / "c.pt")
    validate = make_tones(500, 12, RECIPE)
    assert measure_ua(predict(net, validate), validate.target) == fitted.best.ua == max(e.ua for e in fitted.epochs)


def test_without_validation_every_epoch_runs_and_the_last_one_stays(tmp_path):
    recipe = replace(RECIPE, patience=1)
    fitted = fit(TinyNet(), make_tones(0, 12, recipe), None, recipe=recipe, seed=0, checkpoint=tmp_path / "c.pt")
    assert [epoch.ua for epoch in fitted.epochs] == [None] * recipe.epochs
    assert fitted.best is fitted.epochs[-1]


def test_a_finished_run_is_not_trained_again(tmp_path):
    _, first = train(tmp_path / "c.pt")
    steps = []
    _, second = train(tmp_path / "c.pt", on_progress=steps.append)
    assert (second, steps) == (first, [])


def test_a_checkpoint_of_another_run_is_refused_with_what_differs(tmp_path):
    train(tmp_path / "c.pt", recipe=replace(RECIPE, epochs=1))
    with pytest.raises(CheckpointMismatch, match="epochs"):
        train(tmp_path / "c.pt")
    with pytest.raises(CheckpointMismatch, match="seed"):
        train(tmp_path / "c.pt", recipe=replace(RECIPE, epochs=1), seed=4)


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [shape_rate(step, 100, 0.1) for step in range(101)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10] == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.0, abs=1e-9)


def test_a_batch_ends_in_exact_zeros():
    windows = make_tones(0, 4, RECIPE)
    waveform, target = windows.make_batch(torch.arange(4).numpy())
    lengths = [len(windows.take_window(index)) for index in range(4)]
    assert waveform.shape == (4, max(lengths))
    for row, length in zip(waveform, lengths, strict=True):
        assert not row[length:].any()
        assert bool(row[length - 8 : length].any())
    assert target.tolist() == [0, 1, 2, 3]


def test_augmentation_depends_on_the_epoch_and_not_on_the_order():
    windows = make_tones(0, 4, replace(RECIPE, augmentation=replace(PAPER.augmentation, pitch_semitones=None)))
    rows = torch.arange(4).numpy()
    first, again = windows.make_batch(rows, seed=(0, 1))[0], windows.make_batch(rows[::-1].copy(), seed=(0, 1))[0]
    assert np.array_equal(first, again[::-1])
    assert not np.array_equal(first, windows.make_batch(rows, seed=(0, 2))[0])


def test_a_recipe_with_servings_cut_trains_on_what_serving_hears():
    voice = make_voice(2.0)
    recording = np.concatenate([make_silence(3.0), voice, make_silence(3.0)])
    windows = [WindowStore(recipe, lambda _: recording).take(Path("note")) for recipe in (PAPER, FROZEN)]
    assert all(0.5 * len(voice) < len(window) < 1.5 * len(voice) for window in windows)
    assert all(np.abs(window).max() == pytest.approx(0.95, abs=1e-6) for window in windows)
    uncut = WindowStore(leave_out(FROZEN, ["vad"]), lambda _: recording).take(Path("note"))
    assert len(uncut) == len(recording)


def test_a_long_recording_is_truncated_to_a_window():
    assert len(WindowStore(PAPER, lambda _: make_voice(11.0)).take(Path("note"))) == 8 * 16_000


def test_an_unknown_label_is_refused_before_training():
    with pytest.raises(ValueError, match="sadness"):
        WindowSet(make_tones(0, 4, RECIPE).utterances, LABELS[:3], WindowStore(RECIPE, make_tone))
