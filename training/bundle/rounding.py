"""Round a matrix to 7 bits so that its products change least, not its values (GPTQ, Frantar et al. 2023)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WEIGHT_MAX = 64  # 7 bits.
DAMPING = 0.01  # Of the mean square of all inputs: keeps those that hardly move from taking every error.
_BLOCK = 128  # Rows between two corrections of all that follow: the same sums as after every row, in fewer steps.


def round_weight(
    weight: NDArray[np.float32], moments: NDArray[np.float64]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return a matrix in whole steps of one scale an output column.

    Row by row, what rounding takes from the products is given to the rows that are not rounded yet, as far as their inputs
    move with this row's. Inputs that do not move together leave each value at its nearest step.

    Args:
        weight: float32 (n_in, n_out).
        moments: float64 (n_in, n_in), mean products of the inputs by each other, as calibration windows had them.

    Returns:
        int8 (n_in, n_out), -64 to 64, and the scales, float32 (n_out,).

    >>> round_weight(np.array([[1.0], [0.24]], dtype=np.float32), np.eye(2))[0].ravel().tolist()
    [64, 15]
    """
    left = weight.astype(np.float64)
    scale = np.maximum(np.abs(left).max(axis=0), 1e-12) / WEIGHT_MAX
    factor = _factor_inverse(moments)
    values = np.empty_like(left)
    for first in range(0, len(left), _BLOCK):
        last = min(first + _BLOCK, len(left))
        errors = np.empty((last - first, left.shape[1]))
        for row in range(first, last):
            values[row] = np.clip(np.round(left[row] / scale), -WEIGHT_MAX, WEIGHT_MAX)
            errors[row - first] = (left[row] - values[row] * scale) / factor[row, row]
            left[row + 1 : last] -= np.outer(factor[row, row + 1 : last], errors[row - first])
        left[last:] -= factor[first:last, last:].T @ errors
    return values.astype(np.int8), scale.astype(np.float32)


def _factor_inverse(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the upper triangle U with U'U the inverse of the damped moments."""
    damping = DAMPING * float(np.diag(moments).mean()) or 1.0  # Inputs that are all 0 leave nothing to weigh.
    inverse = np.linalg.inv(moments + damping * np.eye(len(moments)))
    return np.asarray(np.linalg.cholesky((inverse + inverse.T) / 2.0).T, dtype=np.float64)
