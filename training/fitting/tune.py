"""Fine-tune layers 2 and 3 with the head, and judge them on the speakers that were left out; it exports no graph."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from training.corpora import LABELS
from training.corpora.votes import read_votes
from training.data.files import write_json
from training.data.frames import N_FIXED_LAYERS, Frames, load_frames
from training.fitting.hiding import Drawn, draw_hidden
from training.fitting.targets import Item, find_label, soften
from training.measures import metrics
from training.measures.out_of_fold import encode_labels
from training.nets.heads import EMOTION_RECIPE, fit_head, make_emotion_head, seed_torch
from training.nets.losses import balance_classes, compute_focal_loss
from training.nets.upper import Upper, compute_logits, gather_batch, mix_nets
from training.nets.whisper import PooledEncoder, load_encoder
from training.protocols.folds import assign_folds

log = logging.getLogger(__name__)
TRAINED = ("clean", "room", "phone", "paper", "notes-clean", "notes-room", "notes-phone")
TUNED_FILE, JUDGED_FILE = "tune.json", "judged.npz"
JUDGED = ("clean", "notes-clean", "room", "telephone", "opus16", "snr10", "emodb-clean")
BUCKET_BATCHES = 40  # Windows of like length share a batch within so many batches: less padding, order still random.


@dataclass(frozen=True)
class TuneRecipe:
    """How the upper layers are tuned: AdamW with warm-up and cosine, weights averaged over the last steps.

    Attributes:
        epochs: rounds.
        windows: drawn without replacement from all copies for each round.
        batch_size: windows a step.
        layer_rate, head_rate: peak learning rates.
        weight_decay: of AdamW.
        warm_up: share of all steps.
        averaged: share of all steps, the last ones, whose weights are averaged.
        clip: largest norm of a gradient.
        hidden: largest share of a window's frames, in one run of them, that a step does not hear, 0 to under 1.
        votes: share of the listeners' votes in a window's target, 0 to 1.
        kept: share of what tuning changed that stays, 0 to 1; the rest is the untuned encoder with its own head.
    """

    epochs: int = 3
    windows: int = 5000
    batch_size: int = 16
    layer_rate: float = 1e-4
    head_rate: float = 2e-4
    weight_decay: float = 0.01
    warm_up: float = 0.1
    averaged: float = 0.34
    clip: float = 1.0
    hidden: float = 0.0
    votes: float = 0.0
    kept: float = 1.0


RECIPE = TuneRecipe(epochs=4, hidden=0.6, votes=0.3, kept=0.6)


def _draw_batches(items: list[Item], recipe: TuneRecipe, rng: np.random.Generator) -> list[list[Drawn]]:
    drawn = [draw_hidden(items[int(i)], recipe.hidden, rng) for i in rng.permutation(len(items))[: recipe.windows]]
    bucket = BUCKET_BATCHES * recipe.batch_size
    batches: list[list[Drawn]] = []
    for first in range(0, len(drawn), bucket):
        near = sorted(drawn[first : first + bucket], key=lambda one: one.n_heard)
        batches += [near[i : i + recipe.batch_size] for i in range(0, len(near), recipe.batch_size)]
    return [batches[int(i)] for i in rng.permutation(len(batches))]


def tune(
    net: Upper,
    items: list[Item],
    *,
    recipe: TuneRecipe,
    seed: int,
    votes: Mapping[str, NDArray[np.float64]],
    on_step: Callable[[int, int], None] = lambda *_: None,
) -> Upper:
    """Tune a net in place and return a copy with its last weights averaged, in evaluation mode.

    Args:
        net: with a fitted head.
        items: training windows.
        recipe: schedule.
        seed: of drawing, order and dropout.
        votes: what listeners heard, shares by clip; none where the recipe's share of them is 0.
        on_step: told after each step how many are done, and of how many at most.
    """
    rng = np.random.default_rng([seed, 77])
    torch.manual_seed(seed)
    weight = balance_classes(torch.tensor([find_label(item) for item in items]), len(LABELS))
    rates = [recipe.layer_rate, recipe.head_rate]
    parts = [{"params": net.layers.parameters(), "lr": rates[0]}, {"params": net.head.parameters(), "lr": rates[1]}]
    net.requires_grad_(requires_grad=True)
    optimiser = torch.optim.AdamW(parts, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * -(-min(recipe.windows, len(items)) // recipe.batch_size) + recipe.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps, pct_start=recipe.warm_up)
    mean: Any = torch.optim.swa_utils.AveragedModel(net)
    step = 0
    for epoch in range(recipe.epochs):
        began, total = time.perf_counter(), 0.0
        net.train()
        batches = _draw_batches(items, recipe, rng)
        for batch in batches:
            target = torch.tensor([find_label(one.item) for one in batch])
            heard = torch.from_numpy(np.stack([soften(one.item, votes, share=recipe.votes) for one in batch]))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = net(*gather_batch([one.take() for one in batch])).float()
            loss = compute_focal_loss(
                logits,
                target,
                weight,
                gamma=EMOTION_RECIPE.gamma,
                label_smoothing=EMOTION_RECIPE.label_smoothing,
                heard=heard,
            )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
            optimiser.step()
            schedule.step()
            step += 1
            total += float(loss.detach())
            on_step(step, steps)
            if step >= (1.0 - recipe.averaged) * steps:
                mean.update_parameters(net)
        log.info("epoch %d loss %.4f in %.0f s", epoch, total / len(batches), time.perf_counter() - began)
    averaged: Upper = copy.deepcopy(mean.module)
    averaged.eval().requires_grad_(requires_grad=False)
    return averaged


def _read_votes(recipe: TuneRecipe, votes: Path | None) -> Mapping[str, NDArray[np.float64]]:
    if recipe.votes == 0.0:
        return {}
    if votes is None:
        raise ValueError(f"votes have a share of {recipe.votes} in the targets, and no file of votes is named")
    return read_votes(votes, LABELS)


def _fit_head(copies: dict[str, Frames], keep: dict[str, bool], *, seed: int) -> Any:
    statistics, labels = [], []
    for name in TRAINED:
        windows = copies[name].windows
        chosen = np.array([keep[speaker] for speaker in windows.speakers])
        statistics.append(windows.statistics[chosen])
        labels.append(encode_labels(windows.kinds[chosen]))
    seed_torch(seed)
    x = np.concatenate(statistics)
    return fit_head(make_emotion_head(x), x, np.concatenate(labels), recipe=EMOTION_RECIPE, seed=seed)


def measure_ua(truth: NDArray[np.int64], logits: NDArray[np.float64]) -> float:
    """Return the unweighted accuracy of logits."""
    table = metrics.count_confusion(truth, logits.argmax(axis=1), len(LABELS))
    return metrics.measure_unweighted_accuracy(table)


def judge(net: Upper, copies: dict[str, Frames], folds: dict[str, int], *, fold: int, target: Path | None) -> Any:
    """Return the UA of every judged copy on a fold's speakers and, where a target is given, write the logits."""
    found: dict[str, float] = {}
    held: dict[str, Any] = {}
    for name in JUDGED:
        windows = copies[name].windows
        is_foreign = name.startswith("emodb")
        rows = np.flatnonzero([is_foreign or folds.get(speaker) == fold for speaker in windows.speakers])
        logits = compute_logits(net, copies[name], rows)
        truth = encode_labels(windows.kinds[rows])
        found[name] = round(measure_ua(truth, logits), 4)
        held |= {f"{name}/logits": logits, f"{name}/truth": truth, f"{name}/names": windows.names[rows]}
        held[f"{name}/speakers"] = windows.speakers[rows]
    if target is not None:
        np.savez(target, **held)
    return found


def _write_encoder(weights: Path, encoder: PooledEncoder, target: Path) -> None:
    tensors = {name.removeprefix("encoder."): tensor for name, tensor in load_file(weights).items()}
    for name, tensor in encoder.state_dict().items():
        parts = name.split(".")
        if parts[0] == "layers" and int(parts[1]) >= N_FIXED_LAYERS:
            tensors[name] = tensor.contiguous()
    save_file(tensors, target)


def tune_fold(
    folder: Path,
    weights: Path,
    out: Path,
    *,
    fold: int | None,
    seed: int,
    head_seed: int = 0,
    recipe: TuneRecipe = RECIPE,
    votes: Path | None = None,
    threads: int = 1,
    on_step: Callable[[int, int], None] = lambda *_: None,
) -> Any:
    """Tune without one fold's speakers, print how they are heard, and write encoder and head.

    Args:
        folder: of cached frames.
        weights: safetensors of the untuned encoder.
        out: folder to write.
        fold: whose speakers are left out; None trains on all of them.
        seed: of the order of windows and of dropout.
        head_seed: of the head that tuning starts from; nets can be averaged only if they share it.
        recipe: how.
        votes: CSV of what listeners heard; needed where the recipe gives them a share.
        threads: of torch while the layers are tuned; the last digits depend on it.
        on_step: told after each step how many are done, and of how many at most.

    Raises:
        FileNotFoundError: frames are not cached, or votes are needed and not there.
        ValueError: the votes lack a column, or the recipe gives them a share and no file is named.
    """
    heard_as = _read_votes(recipe, votes)
    out.mkdir(parents=True, exist_ok=True)
    heard = TRAINED if fold is None else (*TRAINED, *JUDGED)
    copies = {name: load_frames(folder, name) for name in dict.fromkeys(heard)}
    folds = assign_folds(copies["clean"].windows.speakers.tolist())
    keep = {speaker: mine != fold for speaker, mine in folds.items()}
    encoder = load_encoder(weights)
    net = Upper(encoder, _fit_head(copies, keep, seed=head_seed))
    found: dict[str, Any] = {"fold": fold, "seed": seed, "recipe": asdict(recipe)}
    if fold is not None:
        found["frozen"] = judge(net, copies, folds, fold=fold, target=None)
        log.info("fold %d seed %d frozen %s", fold, seed, json.dumps(found["frozen"]))
    items = [
        (copies[name], row)
        for name in TRAINED
        for row, speaker in enumerate(copies[name].windows.speakers.tolist())
        if keep[speaker]
    ]
    torch.set_num_threads(threads)
    start = copy.deepcopy(net)
    moved = tune(net, items, recipe=recipe, seed=seed, votes=heard_as, on_step=on_step)
    tuned = mix_nets(start, moved, kept=recipe.kept)
    for index, layer in enumerate(tuned.layers, start=N_FIXED_LAYERS):
        encoder.layers[index].load_state_dict(layer.state_dict())
    _write_encoder(weights, encoder, out / "encoder.safetensors")
    save_file(tuned.head.state_dict(), out / "head.safetensors")
    if fold is not None:
        found["tuned"] = judge(tuned, copies, folds, fold=fold, target=out / JUDGED_FILE)
        log.info("fold %d seed %d tuned  %s", fold, seed, json.dumps(found["tuned"]))
    write_json(out / TUNED_FILE, found)  # Last: its presence says that the run is finished.
    return found
