"""The adaptive focal loss and its class weights."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from training.protocols.class_weights import weigh_classes


def balance_classes(target: Any, n_labels: int, *, row_weight: Any | None = None) -> Any:
    """Return the balanced class weights of training labels, float32 (n_labels,).

    Args:
        target: int64 (n,), the labels of the training windows alone.
        n_labels: number of classes.
        row_weight: (n,), how much each window counts; None is 1 each.

    Raises:
        ValueError: a label never occurs.
    """
    counts = torch.bincount(target, row_weight, minlength=n_labels).tolist()
    weights = weigh_classes({f"label {index}": count for index, count in enumerate(counts)})
    return torch.tensor(list(weights.values()), dtype=torch.float32)


def compute_focal_loss(
    logits: Any,
    target: Any,
    class_weight: Any,
    *,
    gamma: float = 2.0,
    label_smoothing: float = 0.1,
    soft_target: Any | None = None,
    row_weight: Any | None = None,
) -> Any:
    """Return the mean class-weighted focal loss with label smoothing.

    FL(p_t) = -alpha_t (1 - p_t)^gamma log(p_t) (Lin et al. 2017), with alpha the balanced class weights and the
    smoothed cross-entropy in place of -log(p_t) (Ismail 2025). With gamma 0 and equal weights it is cross-entropy.

    Args:
        logits: float32 (batch, n_labels).
        target: int64 (batch,).
        class_weight: float32 (n_labels,).
        gamma: how little a window counts that is already right, 0 or more.
        label_smoothing: share of the target spread over all labels, 0 to under 1.
        soft_target: float32 (batch, n_labels), rows sum to 1: in place of the target in the cross-entropy, where listeners'
            votes soften it; weight and focus stay the target's.
        row_weight: (batch,), how much each row counts; None is 1 each.
    """
    log_p = F.log_softmax(logits, dim=1)
    p_true = log_p.gather(1, target[:, None])[:, 0].exp()
    cross_entropy = (
        F.nll_loss(log_p, target, reduction="none") if soft_target is None else -(soft_target * log_p).sum(dim=1)
    )
    smoothed = (1 - label_smoothing) * cross_entropy - label_smoothing * log_p.mean(dim=1)
    loss = class_weight[target] * (1 - p_true) ** gamma * smoothed
    return (loss if row_weight is None else loss * row_weight).mean()
