r"""The offset of persons' log scores, for many persons with equally many notes at once.

A person's log scores are modelled as ``x_i = reference_c + offset + noise``, with ``c`` the unknown label of note i. With the
noise of a note and the offsets of persons both normal, the offset of largest posterior is ``share own + (1 - share) prior`` with
``own = sum_i w_i (x_i - sum_c r_ic reference_c) / n``, ``n = sum_i w_i`` and ``share = max_share n / (n + shrink)``: Buehlmann and Straub's
credibility estimate of a mean (1970, "Glaubwuerdigkeit fuer Schadensaetze"). ``shrink`` stands for the variance of notes by that
of persons, and ``max_share`` under 1 for what no number of notes tells: that the reference does not fit this person's way to sound
angry or sad. The versions differ in ``r_ic``, how much of note i is label c:

1. ``r_ic = mix_c``, so that the offset is known in one step. Subtracting a mean is cepstral mean subtraction (Furui 1981,
   "Cepstral analysis technique for automatic speaker verification") at the output of a model instead of at its input.
2. ``r_ic`` is proportional to ``mix_c exp(k (x_ic - offset_c))``: the model's own scores with the offset taken out and the assumed mix
   in place of an even one (Saerens, Latinne and Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori
   probabilities", equation 2.4), made as sharp as the rule says, ``k = sharpness / margin of the reference``. Both steps alternate, as
   in expectation maximisation (Dempster, Laird and Rubin 1977). Saerens' third step, the person's own mix from the mean of
   ``r_ic``, is left out: with it, recall became worse the more notes there were.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trends.reference import Reference
from trends.rule import MIDDLE_MIX_VERSION, BaselineRule

Array = NDArray[np.float64]
N_STEPS = 15  # part of version 2: later steps move recall by less than a thousandth


def estimate_offsets(
    log_scores: Array, weights: Array, *, prior: Array, shrink: Array, reference: Reference, rule: BaselineRule
) -> Array:
    """Return the offset of each person, natural logarithms, float64 (n_persons, n_labels).

    Args:
        log_scores: float64 (n_persons, n_notes, n_labels), of floored scores; no notes are allowed.
        weights: of the notes, float64 (n_persons, n_notes), over 0.
        prior: what is known without the notes, float64 (n_persons, n_labels).
        shrink: for each person, with so many notes half of `max_share` is theirs, float64 (n_persons,), over 0.
        reference: of the model.
        rule: whose version, mix, `sharpness` and `max_share` are taken.

    Raises:
        ValueError: the rule's mix has other labels than the reference.

    Example:
        >>> reference = Reference(("neutral", "sadness"), ((-0.2, -2.0), (-2.0, -0.2)))
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5}, version=1, max_share=1)
        >>> notes = np.array([[[-0.1, -2.1]] * 5])
        >>> given = {"prior": np.zeros((1, 2)), "shrink": np.full(1, 5.0), "reference": reference}
        >>> estimate_offsets(notes, np.ones((1, 5)), rule=rule, **given).round(6).tolist()
        [[0.5, -0.5]]
        >>> heard_apart = BaselineRule({"neutral": 0.5, "sadness": 0.5}, version=2, max_share=1)
        >>> estimate_offsets(notes, np.ones((1, 5)), rule=heard_apart, **given).round(1).tolist()
        [[0.1, -0.1]]
    """
    means, mix = np.array(reference.means), order_mix(reference, rule)
    if log_scores.shape[1] == 0:
        return prior
    total = weights.sum(axis=1, keepdims=True)
    mean = np.einsum("pn,pnl->pl", weights, log_scores) / total
    share = weigh_own(total, shrink[:, None], rule)

    def shrink_towards_prior(amounts: Array) -> Array:
        return np.asarray(share * (mean - amounts / total @ means) + (1 - share) * prior, dtype=np.float64)

    if rule.version == MIDDLE_MIX_VERSION:
        return shrink_towards_prior(total * mix)
    offsets, sharpening = prior, rule.sharpness / reference.margin
    for _ in range(N_STEPS):
        moved = (log_scores - offsets[:, None]) * sharpening + np.log(mix)
        shares = np.exp(moved - moved.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        offsets = shrink_towards_prior(np.einsum("pn,pnl->pl", weights, shares))
    return offsets


def weigh_own(n_effective: Array, shrink: Array, rule: BaselineRule) -> Array:
    """Return the share of a person's own offset that is taken out, 0 to the rule's `max_share`.

    Args:
        n_effective: sums of weights of notes, 0 or more.
        shrink: over 0, of a shape that fits.
        rule: whose `max_share` is taken.

    Example:
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5}, max_share=0.8)
        >>> weigh_own(np.array([0.0, 5.0, 1e9]), np.array([5.0]), rule).round(3).tolist()
        [0.0, 0.4, 0.8]
    """
    return np.asarray(rule.max_share * n_effective / (n_effective + shrink), dtype=np.float64)


def order_mix(reference: Reference, rule: BaselineRule) -> Array:
    """Return the rule's mix in the order of the reference's labels, float64 (n_labels,).

    Raises:
        ValueError: the rule's mix has other labels than the reference.
    """
    if set(rule.mix) != set(reference.labels):
        raise ValueError(f"the rule's mix has labels {sorted(rule.mix)}, the reference {sorted(reference.labels)}")
    return np.array([rule.mix[label] for label in reference.labels])
