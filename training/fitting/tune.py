"""Tune the encoder's upper layers with the head, from cached frames of its lower layer."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.corpora import LABELS
from training.fitting.epochs import run_epoch
from training.fitting.recipe import Recipe, Tune
from training.fitting.targets import (
    Drawn,
    Item,
    draw_hidden,
    draw_items,
    find_label,
    list_corpora,
    soften,
    weigh_items,
)
from training.nets.losses import balance_classes, compute_focal_loss
from training.nets.upper import Upper, gather_batch

log = logging.getLogger(__name__)
BUCKET_BATCHES = 40  # Windows of like length share a batch within so many batches: less padding, order still random.
DRAWING = 77  # Windows are drawn apart from dropout, which has the seed alone.
Votes = Mapping[str, NDArray[np.float64]]


def _draw_batches(items: list[Item], corpora: list[str], recipe: Tune, rng: np.random.Generator) -> list[list[Drawn]]:
    chosen = [items[index] for index in draw_items(corpora, recipe.windows, recipe.further, rng)]
    weighed = weigh_items(chosen, recipe.further).tolist()
    drawn = [
        replace(draw_hidden(item, recipe.hidden, rng), weight=weight)
        for item, weight in zip(chosen, weighed, strict=True)
    ]
    bucket = BUCKET_BATCHES * recipe.batch_size
    batches: list[list[Drawn]] = []
    for first in range(0, len(drawn), bucket):
        near = sorted(drawn[first : first + bucket], key=lambda entry: entry.n_left)
        batches += [near[i : i + recipe.batch_size] for i in range(0, len(near), recipe.batch_size)]
    return [batches[int(i)] for i in rng.permutation(len(batches))]


class _Loss:
    """The loss of a batch of windows, with targets that votes soften and corpora that weigh more or less."""

    def __init__(self, net: Upper, items: list[Item], recipe: Recipe, votes: Votes) -> None:
        self.net, self.recipe, self.votes = net, recipe, votes
        self.how = recipe.find_stages().tune
        target = torch.tensor([find_label(item) for item in items])
        weighed = torch.from_numpy(weigh_items(items, self.how.further))
        self.class_weight = balance_classes(target, len(LABELS), row_weight=weighed)

    def __call__(self, batch: list[Drawn]) -> Any:
        soft = np.stack([soften(drawn.item, self.votes, share=self.how.votes) for drawn in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.net(*gather_batch([drawn.take() for drawn in batch])).float()
        return compute_focal_loss(
            logits,
            torch.tensor([find_label(drawn.item) for drawn in batch]),
            self.class_weight,
            gamma=self.recipe.gamma,
            label_smoothing=self.recipe.label_smoothing,
            soft_target=torch.from_numpy(soft),
            row_weight=torch.tensor([drawn.weight for drawn in batch]),
        )


def tune(
    net: Upper,
    items: list[Item],
    recipe: Recipe,
    *,
    seed: int,
    votes: Votes,
    on_step: Callable[[int, int], None] = lambda *_: None,
) -> Upper:
    """Tune a net in place and return a copy with its last weights averaged, in evaluation mode.

    Args:
        net: with a fitted head.
        items: training windows.
        recipe: its loss, and the schedule of its stages.
        seed: of drawing, order and dropout.
        votes: of listeners, shares by clip; none where the recipe's share of them is 0.
        on_step: told after each step how many are done, and of how many at most.
    """
    how, rng = recipe.find_stages().tune, np.random.default_rng([seed, DRAWING])
    torch.manual_seed(seed)
    compute_loss = _Loss(net, items, recipe, votes)
    rates = [how.layer_rate, how.head_rate]
    parts = [
        {"params": part.parameters(), "lr": rate} for part, rate in zip((net.layers, net.head), rates, strict=True)
    ]
    net.requires_grad_(requires_grad=True)
    optimiser = torch.optim.AdamW(parts, weight_decay=how.weight_decay)
    n_steps = how.epochs * -(-min(how.windows, len(items)) // how.batch_size) + how.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=n_steps, pct_start=how.warm_up)
    mean: Any = torch.optim.swa_utils.AveragedModel(net)
    corpora = list_corpora(items)
    n_before = 0

    def end_step(n_done: int) -> None:
        on_step(n_before + n_done, n_steps)
        if n_before + n_done >= (1.0 - how.averaged) * n_steps:
            mean.update_parameters(net)

    moving: dict[str, Any] = {"optimiser": optimiser, "schedule": schedule, "clip": how.clip, "on_step": end_step}
    for epoch in range(how.epochs):
        began, batches = time.perf_counter(), _draw_batches(items, corpora, how, rng)
        loss = run_epoch(net, batches, compute_loss, **moving)
        n_before += len(batches)
        log.info("epoch %d loss %.4f in %.0f s", epoch, loss, time.perf_counter() - began)
    averaged: Upper = copy.deepcopy(mean.module)
    averaged.eval().requires_grad_(requires_grad=False)
    return averaged
