"""Average the nets that several seeds tuned from one start, and judge the mean on who was left out; it tunes nothing."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from training.data.files import write_json
from training.data.frames import load_frames
from training.fitting.tune import JUDGED, JUDGED_FILE, TUNED_FILE, judge
from training.nets.heads import make_emotion_head
from training.nets.upper import Upper
from training.nets.whisper import N_STATISTICS, load_encoder
from training.protocols.folds import assign_folds

log = logging.getLogger(__name__)
ENCODER_FILE, HEAD_FILE = "encoder.safetensors", "head.safetensors"


class RunsDiffer(Exception):
    """Runs whose nets have no meaningful mean: of different folds or recipes, or of one seed twice."""


def load_head(run: Path) -> Any:
    """Return the emotion head of a run, in evaluation mode."""
    head = make_emotion_head(np.zeros((2, N_STATISTICS), dtype=np.float32))
    head.load_state_dict(load_file(run / HEAD_FILE))
    return head.eval().requires_grad_(requires_grad=False)


def average_runs(runs: Sequence[Path], folder: Path, out: Path) -> dict[str, Any]:
    """Write the mean of the runs' encoders and heads (model soup, Wortsman et al. 2022), and judge it as each run was.

    Nets that leave one start by different orders of the same windows end in one valley, and their mean lies deeper in it
    than each of them: it costs nothing when it scores.

    Args:
        runs: folders that `tune_fold` wrote from one head, one a seed; at least one.
        folder: of cached frames.
        out: folder to write.

    Returns:
        What `tune.json` holds: fold, seeds, recipe, what the untuned encoder scored, each run and the mean.

    Raises:
        RunsDiffer: they leave out different speakers, follow different recipes, or a seed comes twice.
    """
    said = [json.loads((run / TUNED_FILE).read_text(encoding="utf-8")) for run in runs]
    seeds = [one["seed"] for one in said]
    if len({json.dumps([one["fold"], one["recipe"]]) for one in said}) > 1 or len(set(seeds)) < len(seeds):
        raise RunsDiffer(
            f"runs {[str(run) for run in runs]} of seeds {seeds}; allowed are one fold, recipe and run a seed"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in (ENCODER_FILE, HEAD_FILE):
        save_file(_average([load_file(run / name) for run in runs]), out / name)
    fold = said[0]["fold"]
    found: dict[str, Any] = {"fold": fold, "seeds": seeds, "recipe": said[0]["recipe"]}
    if fold is not None:
        found |= {"frozen": said[0]["frozen"], "runs": [one["tuned"] for one in said]}
        found["tuned"] = said[0]["tuned"] if len(runs) == 1 else _judge(folder, out, fold=fold)
        if len(runs) == 1:  # Its mean is itself, and was judged.
            shutil.copyfile(runs[0] / JUDGED_FILE, out / JUDGED_FILE)
        log.info("fold %d mean of seeds %s %s", fold, seeds, json.dumps(found["tuned"]))
    write_json(out / TUNED_FILE, found)  # Last: its presence says that the mean is finished.
    return found


def _judge(folder: Path, out: Path, *, fold: int) -> Any:
    copies = {name: load_frames(folder, name) for name in JUDGED}
    folds = assign_folds(copies["clean"].windows.speakers.tolist())
    net = Upper(load_encoder(out / ENCODER_FILE), load_head(out))
    return judge(net, copies, folds, fold=fold, target=out / JUDGED_FILE)


def _average(parts: list[dict[str, Any]]) -> dict[str, Any]:
    first = parts[0]  # What no run moved stays what it is, to the last bit.
    return {name: one + torch.stack([part[name] - one for part in parts]).mean(dim=0) for name, one in first.items()}
