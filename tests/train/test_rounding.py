"""Seven bits, one scale a column, and products that change less than by nearest steps."""

import numpy as np
import pytest

from training.bundle.rounding import WEIGHT_MAX, round_weight

N_IN, N_OUT = 150, 24  # More than a block of rows.


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def make_inputs(rng, n_frames):
    """Inputs that move together: ten causes and a little of their own."""
    causes = np.random.default_rng(1).standard_normal((10, N_IN))
    return rng.standard_normal((n_frames, 10)) @ causes + 0.1 * rng.standard_normal((n_frames, N_IN)) + 0.5


def round_nearest(weight):
    scale = np.abs(weight).max(axis=0) / WEIGHT_MAX
    return np.round(weight / scale), scale


def measure_error(values, scale, weight, inputs):
    return float(np.square(inputs @ (values * scale - weight)).mean())


def test_products_of_other_inputs_of_the_same_kind_change_much_less_than_by_nearest_steps(rng):
    weight = rng.standard_normal((N_IN, N_OUT)).astype(np.float32)
    seen, unseen = make_inputs(rng, 2_000), make_inputs(rng, 500)
    by_products = round_weight(weight, seen.T @ seen / len(seen))
    error, nearest = (measure_error(*parts, weight, unseen) for parts in (by_products, round_nearest(weight)))
    assert error < nearest / 4


def test_inputs_that_do_not_move_together_leave_each_value_at_its_nearest_step(rng):
    weight = rng.standard_normal((N_IN, N_OUT)).astype(np.float32)
    values, scale = round_weight(weight, np.diag(rng.uniform(0.1, 9.0, N_IN)))
    nearest, steps = round_nearest(weight.astype(np.float64))
    assert np.array_equal(values, nearest)
    assert np.allclose(scale, steps)


def test_values_keep_to_seven_bits_where_corrections_would_leave_them(rng):
    weight = np.where(rng.random((N_IN, N_OUT)) < 0.5, -1.0, 1.0).astype(np.float32)  # All at the end of the range.
    weight[::3] *= 0.501
    inputs = make_inputs(rng, 400)
    values, scale = round_weight(weight, inputs.T @ inputs / len(inputs))
    assert values.dtype == np.int8
    assert np.abs(values.astype(int)).max() <= WEIGHT_MAX
    assert scale.shape == (N_OUT,)


@pytest.mark.parametrize("moments", [np.zeros((N_IN, N_IN)), np.ones((N_IN, N_IN))])
def test_inputs_that_are_silent_or_all_the_same_round_as_well(moments, rng):
    weight = rng.standard_normal((N_IN, N_OUT)).astype(np.float32)
    weight[:, 0] = 0.0
    values, scale = round_weight(weight, moments)
    assert not values[:, 0].any()
    assert np.isfinite(scale).all()
    assert np.abs(values * scale - weight).max() < 0.2
