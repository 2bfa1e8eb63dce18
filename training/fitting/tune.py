"""Tune the encoder's upper layers with the head from cached frames, and judge nets on speakers that were left out."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from training.corpora import LABELS
from training.corpora.votes import read_votes
from training.data.cached import Frames, load_frames
from training.data.files import write_json
from training.data.views import FOREIGN
from training.fitting.loop import fit_head, run_epoch
from training.fitting.recipe import Recipe, Stages, Tune
from training.fitting.targets import Drawn, Item, draw_hidden, find_label, soften, weigh_items
from training.measures.metrics import measure_ua
from training.measures.out_of_fold import encode_labels
from training.nets.heads import make_emotion_head, seed_torch
from training.nets.losses import balance_classes, compute_focal_loss
from training.nets.upper import N_FIXED_LAYERS, Upper, compute_logits, gather_batch, mix_nets
from training.nets.whisper import N_STATISTICS, PooledEncoder, load_encoder
from training.protocols.folds import assign_folds

log = logging.getLogger(__name__)
TRAINED = ("clean", "room", "phone", "paper", "notes-clean", "notes-room", "notes-phone")
JUDGED = ("clean", "notes-clean", "room", "telephone", "opus16", "snr10", FOREIGN)
TUNED_FILE, JUDGED_FILE = "tune.json", "judged.npz"
ENCODER_FILE, HEAD_FILE = "encoder.safetensors", "head.safetensors"
BUCKET_BATCHES = 40  # Windows of like length share a batch within so many batches: less padding, order still random.
Votes = Mapping[str, NDArray[np.float64]]
Copies = Mapping[str, Frames]


@dataclass(frozen=True)
class Start:
    """What every net of a recipe begins with.

    Attributes:
        weights: safetensors of the untuned encoder.
        recipe: with stages.
        head_seed: of the head that tuning starts from; nets can be averaged only if they share it.
        votes: CSV of what listeners heard; needed where the recipe gives them a share.
    """

    weights: Path
    recipe: Recipe
    head_seed: int = 0
    votes: Path | None = None

    @property
    def stages(self) -> Stages:
        """The stages of the recipe."""
        assert self.recipe.stages is not None
        return self.recipe.stages


def list_copies(fold: int | None) -> tuple[str, ...]:
    """Return the copies that a net needs which leaves a fold's speakers out, or nobody."""
    return TRAINED if fold is None else tuple(dict.fromkeys((*TRAINED, *JUDGED)))


def load_copies(folders: Mapping[str, Path], names: Iterable[str]) -> dict[str, Frames]:
    """Read the cached frames of some copies.

    Args:
        folders: of each copy by its name.
        names: of the copies.
    """
    return {name: load_frames(folders[name]) for name in dict.fromkeys(names)}


def _draw_batches(
    items: list[Item], weighed: NDArray[np.float32] | None, recipe: Tune, rng: np.random.Generator
) -> list[list[Drawn]]:
    chosen = rng.permutation(len(items))[: recipe.windows]
    drawn = [draw_hidden(items[int(i)], recipe.hidden, rng) for i in chosen]
    if weighed is not None:
        drawn = [replace(entry, weight=float(weighed[int(i)])) for entry, i in zip(drawn, chosen, strict=True)]
    bucket = BUCKET_BATCHES * recipe.batch_size
    batches: list[list[Drawn]] = []
    for first in range(0, len(drawn), bucket):
        near = sorted(drawn[first : first + bucket], key=lambda entry: entry.n_left)
        batches += [near[i : i + recipe.batch_size] for i in range(0, len(near), recipe.batch_size)]
    return [batches[int(i)] for i in rng.permutation(len(batches))]


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
        votes: what listeners heard, shares by clip; none where the recipe's share of them is 0.
        on_step: told after each step how many are done, and of how many at most.
    """
    assert recipe.stages is not None
    how = recipe.stages.tune
    rng = np.random.default_rng([seed, 77])
    torch.manual_seed(seed)
    weight = balance_classes(torch.tensor([find_label(item) for item in items]), len(LABELS))
    weighed = weigh_items(items, how.weights)
    rates = [how.layer_rate, how.head_rate]
    parts = [{"params": net.layers.parameters(), "lr": rates[0]}, {"params": net.head.parameters(), "lr": rates[1]}]
    net.requires_grad_(requires_grad=True)
    optimiser = torch.optim.AdamW(parts, weight_decay=how.weight_decay)
    n_steps = how.epochs * -(-min(how.windows, len(items)) // how.batch_size) + how.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=n_steps, pct_start=how.warm_up)
    mean: Any = torch.optim.swa_utils.AveragedModel(net)
    n_done = 0

    def compute_loss(batch: list[Drawn]) -> Any:
        target = torch.tensor([find_label(entry.item) for entry in batch])
        soft = torch.from_numpy(np.stack([soften(entry.item, votes, share=how.votes) for entry in batch]))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = net(*gather_batch([entry.take() for entry in batch])).float()
        return compute_focal_loss(
            logits,
            target,
            weight,
            gamma=recipe.gamma,
            label_smoothing=recipe.label_smoothing,
            soft_target=soft,
            row_weight=None if weighed is None else torch.tensor([entry.weight for entry in batch]),
        )

    def end_step(_: int) -> None:
        nonlocal n_done
        n_done += 1
        on_step(n_done, n_steps)
        if n_done >= (1.0 - how.averaged) * n_steps:
            mean.update_parameters(net)

    for epoch in range(how.epochs):
        began, batches = time.perf_counter(), _draw_batches(items, weighed, how, rng)
        loss = run_epoch(
            net, batches, compute_loss, optimiser=optimiser, schedule=schedule, clip=how.clip, on_step=end_step
        )
        log.info("epoch %d loss %.4f in %.0f s", epoch, loss, time.perf_counter() - began)
    averaged: Upper = copy.deepcopy(mean.module)
    averaged.eval().requires_grad_(requires_grad=False)
    return averaged


def _read_votes(start: Start) -> Votes:
    share = start.stages.tune.votes
    if share == 0.0:
        return {}
    if start.votes is None:
        raise ValueError(f"votes have a share of {share} in the targets, and no file of votes is named")
    return read_votes(start.votes, LABELS)


def _fit_emotion_head(items: list[Item], recipe: Recipe, *, seed: int) -> Any:
    statistics = np.stack([frames.windows.statistics[row] for frames, row in items])
    labels = np.array([find_label(item) for item in items], dtype=np.int64)
    assert recipe.stages is not None
    weighed = weigh_items(items, recipe.stages.tune.weights)
    seed_torch(seed)
    head = make_emotion_head(statistics)
    return fit_head(head, statistics, labels, recipe=recipe, seed=seed, row_weight=weighed)


def judge(net: Upper, copies: Copies, fold: int, *, target: Path | None) -> dict[str, float]:
    """Return the UA of every judged copy on a fold's speakers and, where a target is given, write the logits.

    A copy of a corpus that nobody trained on is judged whole.
    """
    result: dict[str, float] = {}
    held: dict[str, Any] = {}
    folds = assign_folds(copies["clean"].windows.speakers.tolist())
    for name in JUDGED:
        windows = copies[name].windows
        rows = np.flatnonzero([name == FOREIGN or folds.get(speaker) == fold for speaker in windows.speakers.tolist()])
        logits = compute_logits(net, copies[name], rows)
        truth = encode_labels(windows.kinds[rows])
        result[name] = round(measure_ua(logits, truth), 4)
        parts = {"logits": logits, "truth": truth, "names": windows.names[rows], "speakers": windows.speakers[rows]}
        held |= {f"{name}/{part}": values for part, values in parts.items()}
    if target is not None:
        np.savez(target, **held)
    return result


def write_encoder(weights: Path, encoder: PooledEncoder, target: Path) -> None:
    """Write an encoder's weights as safetensors, those of layers that are never tuned as they were."""
    tensors = {name.removeprefix("encoder."): tensor for name, tensor in load_file(weights).items()}
    for name, tensor in encoder.state_dict().items():
        parts = name.split(".")
        if parts[0] == "layers" and int(parts[1]) >= N_FIXED_LAYERS:
            tensors[name] = tensor.contiguous()
    save_file(tensors, target)


def load_head(run: Path) -> Any:
    """Return the emotion head of a run, in evaluation mode."""
    head = make_emotion_head(np.zeros((2, N_STATISTICS), dtype=np.float32))
    head.load_state_dict(load_file(run / HEAD_FILE))
    return head.eval().requires_grad_(requires_grad=False)


def tune_fold(
    folders: Mapping[str, Path],
    out: Path,
    start: Start,
    *,
    fold: int | None,
    seed: int,
    on_step: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Tune without one fold's speakers, judge on them, and write encoder, head and `tune.json`.

    Args:
        folders: of the cached frames of `list_copies(fold)`, by name.
        out: folder to write.
        start: what the net begins with.
        fold: whose speakers are left out; None trains on all of them.
        seed: of the order of windows and of dropout.
        on_step: told after each step how many are done, and of how many at most.

    Raises:
        FileNotFoundError: frames are not cached, or votes are needed and not there.
        ValueError: the votes lack a column, or the recipe gives them a share and no file is named.
    """
    votes, how = _read_votes(start), start.stages.tune
    out.mkdir(parents=True, exist_ok=True)
    copies = load_copies(folders, list_copies(fold))
    folds = assign_folds(copies["clean"].windows.speakers.tolist())
    items = [
        (copies[name], row)
        for name in TRAINED
        for row, speaker in enumerate(copies[name].windows.speakers.tolist())
        if folds[speaker] != fold
    ]
    encoder = load_encoder(start.weights)
    net = Upper(encoder, _fit_emotion_head(items, start.recipe, seed=start.head_seed))
    result: dict[str, Any] = {"fold": fold, "seed": seed, "recipe": asdict(how)}
    if fold is not None:
        result["frozen"] = judge(net, copies, fold, target=None)
    untuned = copy.deepcopy(net)
    moved = tune(net, items, start.recipe, seed=seed, votes=votes, on_step=on_step)
    tuned = mix_nets(untuned, moved, kept=how.kept)
    for index, layer in enumerate(tuned.layers, start=N_FIXED_LAYERS):
        encoder.layers[index].load_state_dict(layer.state_dict())
    write_encoder(start.weights, encoder, out / ENCODER_FILE)
    save_file(tuned.head.state_dict(), out / HEAD_FILE)
    if fold is not None:
        result["tuned"] = judge(tuned, copies, fold, target=out / JUDGED_FILE)
        log.info(
            "fold %d seed %d, untuned %s, tuned %s", fold, seed, *(json.dumps(result[k]) for k in ("frozen", "tuned"))
        )
    write_json(out / TUNED_FILE, result)
    return result
