"""Nets that were tuned without somebody, as folders: encoder, head, and what they were judged on who was left out."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file

from training.corpora import LABELS
from training.corpora.votes import read_votes
from training.data.cached import Frames, load_frames
from training.data.files import write_json
from training.data.views import name_corpus
from training.fitting.epochs import fit_head
from training.fitting.recipe import Recipe, Stages
from training.fitting.targets import Item, assign_first_folds, find_label, weigh_items
from training.fitting.tune import Votes, tune
from training.measures.metrics import measure_ua
from training.measures.out_of_fold import encode_labels
from training.nets.heads import make_emotion_head, seed_torch
from training.nets.upper import N_FIXED_LAYERS, Upper, compute_logits, mix_nets
from training.nets.whisper import N_STATISTICS, PooledEncoder, load_encoder

log = logging.getLogger(__name__)
JUDGED = ("clean", "notes-clean", "room", "telephone", "opus16", "snr10")
TUNED_FILE, JUDGED_FILE = "tune.json", "judged.npz"
ENCODER_FILE, HEAD_FILE = "encoder.safetensors", "head.safetensors"
LeftOut = int | tuple[str, ...] | None  # A fold of speakers, the layouts of some corpora, or nobody.
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
        return self.recipe.find_stages()


def list_copies(trained: tuple[str, ...], left_out: LeftOut) -> tuple[str, ...]:
    """Return the copies that a net needs which leaves somebody out, or nobody: those that train and those that judge."""
    return trained if left_out is None else tuple(dict.fromkeys((*trained, *JUDGED)))


def find_left_out(copies: Mapping[str, Frames], left_out: LeftOut) -> frozenset[str]:
    """Return the speakers who are left out.

    Raises:
        ValueError: there are none in that fold or corpus.
    """
    speakers = copies["clean"].windows.speakers.tolist()
    if left_out is None:
        return frozenset()
    if isinstance(left_out, tuple):
        chosen = frozenset(speaker for speaker in speakers if name_corpus(speaker) in left_out)
    else:
        chosen = frozenset(speaker for speaker, fold in assign_first_folds(speakers).items() if fold == left_out)
    if not chosen:
        raise ValueError(f"nobody is in {left_out!r}; allowed are folds from 0 and names of further corpora")
    return chosen


def load_copies(folders: Mapping[str, Path], names: Iterable[str]) -> dict[str, Frames]:
    """Read the cached frames of some copies.

    Args:
        folders: of each copy by its name.
        names: of the copies.
    """
    return {name: load_frames(folders[name]) for name in dict.fromkeys(names)}


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
    weighed = weigh_items(items, recipe.find_stages().tune.further)
    seed_torch(seed)
    head = make_emotion_head(statistics, row_weight=weighed)
    return fit_head(head, statistics, labels, recipe=recipe, seed=seed, row_weight=weighed)


def judge(net: Upper, copies: Copies, left_out: LeftOut, *, target: Path | None) -> dict[str, float]:
    """Return the UA of every judged copy on who was left out and, where a target is given, write the logits.

    Copies that hold nobody of them are passed over: ordinary speech is in few.
    """
    result: dict[str, float] = {}
    held: dict[str, Any] = {}
    speakers = find_left_out(copies, left_out)
    for name in JUDGED:
        windows = copies[name].windows
        rows = np.flatnonzero([speaker in speakers for speaker in windows.speakers.tolist()])
        if not len(rows):
            continue
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
    left_out: LeftOut,
    seed: int,
    on_step: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Tune without a fold's speakers or some corpora, judge on who was left out, and write encoder, head and `tune.json`.

    Args:
        folders: of the cached frames of `list_copies`, by name.
        out: folder to write.
        start: what the net begins with.
        left_out: the fold or corpora whose speakers are left out; None trains on all of them.
        seed: of the order of windows and of dropout.
        on_step: told after each step how many are done, and of how many at most.

    Raises:
        FileNotFoundError: frames are not cached, or votes are needed and not there.
        ValueError: the votes lack a column, or the recipe gives them a share and no file is named.
    """
    votes, how = _read_votes(start), start.stages.tune
    out.mkdir(parents=True, exist_ok=True)
    copies = load_copies(folders, list_copies(how.copies, left_out))
    speakers, trained = find_left_out(copies, left_out), {"", *(item.corpus for item in how.further)}
    items = [
        (copies[name], row)
        for name in how.copies
        for row, speaker in enumerate(copies[name].windows.speakers.tolist())
        if speaker not in speakers and name_corpus(speaker) in trained
    ]
    encoder = load_encoder(start.weights)
    net = Upper(encoder, _fit_emotion_head(items, start.recipe, seed=start.head_seed))
    result: dict[str, Any] = {"fold": left_out, "seed": seed, "recipe": asdict(how)}
    if left_out is not None:
        result["frozen"] = judge(net, copies, left_out, target=None)
    untuned = copy.deepcopy(net)
    moved = tune(net, items, start.recipe, seed=seed, votes=votes, on_step=on_step)
    tuned = mix_nets(untuned, moved, kept=how.kept)
    for index, layer in enumerate(tuned.layers, start=N_FIXED_LAYERS):
        encoder.layers[index].load_state_dict(layer.state_dict())
    write_encoder(start.weights, encoder, out / ENCODER_FILE)
    save_file(tuned.head.state_dict(), out / HEAD_FILE)
    if left_out is not None:
        result["tuned"] = judge(tuned, copies, left_out, target=out / JUDGED_FILE)
        log.info(
            "without %s, seed %d: untuned %s, tuned %s",
            left_out,
            seed,
            *(json.dumps(result[k]) for k in ("frozen", "tuned")),
        )
    write_json(out / TUNED_FILE, result)
    return result
