"""Average the nets that several seeds tuned from one start, and judge the mean on who was left out."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from training.data.files import read_json, write_json
from training.fitting.tuned import (
    ENCODER_FILE,
    HEAD_FILE,
    JUDGED,
    JUDGED_FILE,
    TUNED_FILE,
    judge,
    load_copies,
    load_head,
)
from training.nets.upper import Upper
from training.nets.whisper import load_encoder

log = logging.getLogger(__name__)


class RunsDiffer(Exception):
    """Runs whose nets have no meaningful mean: of different folds or recipes, or of one seed twice."""


def average_runs(runs: Sequence[Path], folders: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Write the mean of the runs' encoders and heads (model soup, Wortsman et al. 2022), and judge it as each run was.

    Nets that leave one start by different orders of the same windows end in one valley, and their mean lies deeper in it
    than each of them: it costs nothing when it scores.

    Args:
        runs: folders that `tune_fold` wrote from one head, one a seed; at least one.
        folders: of the cached frames of every judged copy by name, where the runs leave a fold out.
        out: folder to write.

    Returns:
        What `tune.json` holds: fold, seeds, recipe, what the untuned encoder scored, each run and the mean.

    Raises:
        RunsDiffer: they leave out different speakers, follow different recipes, or a seed comes twice.
    """
    facts = [read_json(run / TUNED_FILE) for run in runs]
    seeds = [item["seed"] for item in facts]
    if len({json.dumps([item["fold"], item["recipe"]]) for item in facts}) > 1 or len(set(seeds)) < len(seeds):
        raise RunsDiffer(
            f"runs {[str(run) for run in runs]} of seeds {seeds}; allowed are one fold, recipe and run a seed"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in (ENCODER_FILE, HEAD_FILE):
        save_file(_average([load_file(run / name) for run in runs]), out / name)
    fold = facts[0]["fold"]
    left_out = tuple(fold) if isinstance(fold, list) else fold  # As JSON has it.
    result: dict[str, Any] = {"fold": fold, "seeds": seeds, "recipe": facts[0]["recipe"]}
    if left_out is not None:
        result |= {"frozen": facts[0]["frozen"], "runs": [item["tuned"] for item in facts]}
        if len(runs) == 1:  # Its mean is itself, and was judged.
            result["tuned"] = facts[0]["tuned"]
            shutil.copyfile(runs[0] / JUDGED_FILE, out / JUDGED_FILE)
        else:
            net = Upper(load_encoder(out / ENCODER_FILE), load_head(out))
            result["tuned"] = judge(net, load_copies(folders, JUDGED), left_out, target=out / JUDGED_FILE)
        log.info("without %s, mean of seeds %s %s", fold, seeds, json.dumps(result["tuned"]))
    write_json(out / TUNED_FILE, result)
    return result


def _average(parts: list[dict[str, Any]]) -> dict[str, Any]:
    first = parts[0]  # What no run moved stays what it is, to the last bit.
    return {name: item + torch.stack([part[name] - item for part in parts]).mean(dim=0) for name, item in first.items()}
