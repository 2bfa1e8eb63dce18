"""Hidden units that do nothing go first and change nothing; what the others did on average stays."""

import numpy as np
import pytest
import torch

from training.bundle.pruning import choose_units, prune_encoder
from training.nets.shape import EncoderShape
from training.nets.whisper import PooledEncoder

WIDTHS = (48, 64, 64)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return PooledEncoder(EncoderShape("first_queries"), widths=(64, 64, 64)).eval().requires_grad_(requires_grad=False)


def make_windows(n_windows=2):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(size).astype(np.float32) * 0.1 for size in range(8_000, 8_000 + 900 * n_windows, 900)]


def pool(encoder, window):
    with torch.inference_mode():
        return encoder(torch.from_numpy(window)[None])[0].numpy()


def test_units_that_nobody_reads_or_that_are_silent_go_and_nothing_changes(encoder):
    layer = encoder.layers[0]
    layer.fc2.weight[:, 3:11] = 0.0  # Nobody reads these 8.
    layer.fc1.weight[20:28] = 0.0  # These 8 always say the same, which the bias can say as well.
    layer.fc1.bias[20:28] = -1e-3
    before = [pool(encoder, window) for window in make_windows()]

    prune_encoder(encoder, make_windows(), widths=WIDTHS)

    assert [one.fc1.out_features for one in encoder.layers] == list(WIDTHS)
    for window, expected in zip(make_windows(), before, strict=True):
        assert np.abs(pool(encoder, window) - expected).max() < 1e-5


def test_a_constant_unit_leaves_its_share_in_the_bias(encoder):
    layer = encoder.layers[0]
    layer.fc1.weight[:48] *= 50.0  # So that those 16 are the smallest, though they say 1 always.
    layer.fc1.weight[48:] = 0.0
    layer.fc1.bias[48:] = 1.0
    before = pool(encoder, make_windows()[0])

    prune_encoder(encoder, make_windows(), widths=WIDTHS)

    assert np.abs(pool(encoder, make_windows()[0]) - before).max() < 1e-4


def test_the_mean_of_the_frames_of_a_cut_layer_stays(encoder):
    before, after = [], []
    windows = make_windows(1)
    encoder.layers[0].register_forward_hook(lambda _, __, out: before.append(out[0].mean(dim=0)))
    pool(encoder, windows[0])
    prune_encoder(encoder, windows, widths=(8, 64, 64))
    encoder.layers[0].register_forward_hook(lambda _, __, out: after.append(out[0].mean(dim=0)))
    pool(encoder, windows[0])
    assert torch.allclose(before[0], after[0], atol=1e-5)


def test_choice_weighs_the_size_of_a_unit_by_the_weights_that_read_it():
    outgoing = np.array([[3.0, 0.0, 4.0, 0.1], [0.0, 0.0, 3.0, 0.0]], dtype=np.float32)
    assert choose_units(np.array([2.0, 99.0, 1.0, 10.0]), outgoing, 2).tolist() == [0, 2]
    assert choose_units(np.array([2.0, 99.0, 1.0, 10.0]), outgoing, 4).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("widths", [(64, 64), (0, 64, 64), (65, 64, 64)])
def test_widths_that_no_layer_can_have_are_refused(encoder, widths):
    with pytest.raises(ValueError, match=r"widths are .*, allowed are 3 of 1 to"):
        prune_encoder(encoder, make_windows(), widths=widths)


def test_without_a_window_nothing_is_pruned(encoder):
    with pytest.raises(ValueError, match="0 windows"):
        prune_encoder(encoder, [], widths=WIDTHS)
    assert encoder.layers[0].fc1.out_features == 64
