"""A quantile is numpy's, in every bit."""

from __future__ import annotations

import numpy as np
import pytest

from worker.audio.quantiles import find_quantile


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.95, 0.98, 1.0])
@pytest.mark.parametrize("n_values", [1, 2, 3, 10, 133, 1001])
def test_every_bit_is_that_of_numpy(n_values: int, share: float) -> None:
    rng = np.random.default_rng(n_values)
    for values in (rng.standard_normal(n_values), np.round(rng.standard_normal(n_values), 1), np.ones(n_values)):
        assert find_quantile(values, share) == np.quantile(values, share)
        assert find_quantile(values, share) == np.percentile(values, 100 * share)
