"""One pass over batches, whatever is trained, and heads on pooled statistics, which need no more than some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.fitting.recipe import Fit
from training.nets.losses import balance_classes, compute_focal_loss

Batch = Any  # Whatever a loss is computed of; its length is the number of its windows.


def run_epoch(
    net: Any,
    batches: Sequence[Batch],
    compute_loss: Callable[[Batch], Any],
    *,
    optimiser: Any,
    schedule: Any,
    clip: float | None = None,
    on_step: Callable[[int], None] = lambda _: None,
) -> float:
    """Take one step a batch, and return the mean loss over windows.

    Args:
        net: in whatever state; it ends in training mode.
        batches: each as long as it has windows.
        compute_loss: the mean loss of a batch, a tensor of one value.
        optimiser: of torch.
        schedule: of its rates, stepped with it.
        clip: largest norm of a gradient; None leaves it as it is.
        on_step: told after each step how many are done.
    """
    net.train()
    total = 0.0
    for index, batch in enumerate(batches):
        loss = compute_loss(batch)
        optimiser.zero_grad()
        loss.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimiser.step()
        schedule.step()
        total += float(loss.detach()) * len(batch)
        on_step(index + 1)
    return total / sum(map(len, batches))


def fit_head(
    head: Any,
    statistics: NDArray[np.float32],
    target: NDArray[np.int64],
    *,
    recipe: Fit,
    seed: int,
    row_weight: NDArray[np.float32] | None = None,
) -> Any:
    """Fit a head on pooled statistics in place and return it in evaluation mode.

    Args:
        head: torch module made after `training.nets.heads.seed_torch`.
        statistics: float32 (n_windows, n_statistics).
        target: int64 (n_windows,).
        recipe: loss and schedule, a single cycle.
        seed: of shuffling and dropout.
        row_weight: float32 (n_windows,), how much each window counts; None is 1 each.
    """
    torch.manual_seed(seed)
    weighed = None if row_weight is None else torch.from_numpy(row_weight)
    x, y = torch.from_numpy(statistics), torch.from_numpy(target)
    weight = balance_classes(y, int(y.max()) + 1, row_weight=weighed)
    rate = recipe.peak_learning_rate
    optimiser = torch.optim.AdamW(head.parameters(), lr=rate, weight_decay=recipe.weight_decay)
    n_steps = recipe.epochs * -(-len(y) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=n_steps, pct_start=recipe.warm_up)

    def compute_loss(rows: Any) -> Any:
        return compute_focal_loss(
            head(x[rows]),
            y[rows],
            weight,
            gamma=recipe.gamma,
            label_smoothing=recipe.label_smoothing,
            row_weight=None if weighed is None else weighed[rows],
        )

    for _ in range(recipe.epochs):
        batches = torch.randperm(len(y)).split(recipe.batch_size)
        run_epoch(head, batches, compute_loss, optimiser=optimiser, schedule=schedule)
    return head.eval().requires_grad_(requires_grad=False)
