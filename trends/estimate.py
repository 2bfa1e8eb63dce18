r"""The offset of persons' log scores, for many persons with equally many notes at once.

A person's log scores are modelled as ``x_i = reference_c + offset + noise``, with ``c`` the unknown label of note i. With the
noise's variance ``v`` and offsets that vary with ``v / shrink`` around a prior (none, or the tenant's offset), the offset of largest
posterior is ``(sum_i w_i (x_i - sum_c r_ic reference_c) + shrink prior) / (sum_i w_i + shrink)``: Buehlmann and Straub's
credibility estimate of a mean (1970, "Glaubwuerdigkeit fuer Schadensaetze"). The versions differ in ``r_ic``, how much of note i is label c:

1. ``r_ic = mix_c``, so that the offset is known in one step. Subtracting a mean is cepstral mean subtraction (Furui 1981,
   "Cepstral analysis technique for automatic speaker verification") at the output of a model instead of at its input.
2. ``r_ic`` is proportional to ``mix_c exp(x_ic - offset_c)``: the model's own scores with the offset taken out and the assumed
   mix in place of an even one (Saerens, Latinne and Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori
   probabilities", equation 2.4). Both steps alternate, as in expectation maximisation (Dempster, Laird and Rubin 1977). Saerens' third
   step, the person's own mix from the mean of ``r_ic``, is left out: it made recall worse the more notes there were.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trends.reference import Reference
from trends.rule import MIDDLE_MIX_VERSION, BaselineRule

Array = NDArray[np.float64]
N_STEPS = 15  # part of version 2: later steps move recall by less than a thousandth


def estimate_offsets(
    log_scores: Array, weights: Array, *, prior: Array, shrink: float, reference: Reference, rule: BaselineRule
) -> Array:
    """Return the offset of each person, natural logarithms, float64 (n_persons, n_labels).

    Args:
        log_scores: float64 (n_persons, n_notes, n_labels), of floored scores; no notes are allowed.
        weights: of the notes, float64 (n_persons, n_notes), over 0.
        prior: what is known without the notes, float64 (n_persons, n_labels).
        shrink: weight of the prior in notes, over 0.
        reference: of the model.
        rule: whose version and mix are taken.

    Raises:
        ValueError: the rule's mix has other labels than the reference.

    Example:
        >>> reference = Reference(("neutral", "sadness"), ((-0.2, -2.0), (-2.0, -0.2)))
        >>> rule = BaselineRule({"neutral": 0.5, "sadness": 0.5}, version=1)
        >>> notes = np.array([[[-0.1, -2.1]] * 5])
        >>> prior = np.zeros((1, 2))
        >>> estimate_offsets(notes, np.ones((1, 5)), prior=prior, shrink=5.0, reference=reference, rule=rule).round(6).tolist()
        [[0.5, -0.5]]
        >>> heard_apart = BaselineRule({"neutral": 0.5, "sadness": 0.5}, version=2)
        >>> estimate_offsets(notes, np.ones((1, 5)), prior=prior, shrink=5.0, reference=reference, rule=heard_apart).round(1).tolist()
        [[0.2, -0.2]]
    """
    means, mix = np.array(reference.means), order_mix(reference, rule)
    total = weights.sum(axis=1, keepdims=True)
    weighted_sum = np.einsum("pn,pnl->pl", weights, log_scores)

    def shrink_towards_prior(amounts: Array) -> Array:
        return np.asarray((weighted_sum - amounts @ means + shrink * prior) / (total + shrink), dtype=np.float64)

    if rule.version == MIDDLE_MIX_VERSION or log_scores.shape[1] == 0:
        return shrink_towards_prior(total * mix)
    offsets = prior
    for _ in range(N_STEPS):
        moved = log_scores - offsets[:, None] + np.log(mix)
        shares = np.exp(moved - moved.max(axis=2, keepdims=True))
        shares /= shares.sum(axis=2, keepdims=True)
        offsets = shrink_towards_prior(np.einsum("pn,pnl->pl", weights, shares))
    return offsets


def order_mix(reference: Reference, rule: BaselineRule) -> Array:
    """Return the rule's mix in the order of the reference's labels, float64 (n_labels,).

    Raises:
        ValueError: the rule's mix has other labels than the reference.
    """
    if set(rule.mix) != set(reference.labels):
        raise ValueError(f"the rule's mix has labels {sorted(rule.mix)}, the reference {sorted(reference.labels)}")
    return np.array([rule.mix[label] for label in reference.labels])
