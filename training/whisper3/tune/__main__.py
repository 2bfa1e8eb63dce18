"""Cache frames and fine-tune the upper layers: `python -m training.whisper3.tune frames | fit | sum | int8`; it exports no graph."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from training.corpora import load_crema_d, load_emodb
from training.whisper3.encoder import load_encoder
from training.whisper3.features import list_makers
from training.whisper3.tune.fit import JUDGED, TRAINED, tune_fold
from training.whisper3.tune.frames import cache_frames
from training.whisper3.tune.small import compare_small
from training.whisper3.tune.summary import sum_up


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.whisper3.tune", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    cache = verbs.add_parser("frames", help="cache frames after the first layer")
    cache.add_argument("--crema-d", type=Path, required=True, help="folder of CREMA-D audio")
    cache.add_argument("--emodb", type=Path, required=True, help="folder of EmoDB audio")
    cache.add_argument("--only", nargs="*", default=[*TRAINED, *JUDGED], help="names of copies; all by default")
    fit = verbs.add_parser("fit", help="fine-tune without one fold's speakers, or on all")
    fit.add_argument("--out", type=Path, required=True, help="folder for encoder, head and judgement")
    fit.add_argument("--fold", type=int, help="0 to 4: its speakers are heard only to judge; none: all are trained on")
    fit.add_argument("--seed", type=int, default=0)
    total = verbs.add_parser("sum", help="sum up fold runs")
    total.add_argument("runs", type=Path, nargs="+", help="folders that fit wrote")
    total.add_argument("--out", type=Path, required=True, help="folder for evaluation.json and predictions.csv")
    small = verbs.add_parser("int8", help="compare a fold's run in float32 and int8 on its unheard speakers")
    small.add_argument("run", type=Path, help="folder that fit wrote")
    small.add_argument("--crema-d", type=Path, required=True, help="folder of CREMA-D")
    for verb in (cache, fit):
        verb.add_argument("--encoder", type=Path, required=True, help="Whisper base encoder, safetensors")
        verb.add_argument("--frames", type=Path, required=True, help="folder of cached frames")
        verb.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Run one verb."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = parse_arguments()
    if arguments.verb == "sum":
        sum_up(arguments.runs, arguments.out)
        return
    if arguments.verb == "int8":
        compare_small(arguments.run, load_crema_d(arguments.crema_d))
        return
    torch.set_num_threads(arguments.threads)
    if arguments.verb == "fit":
        tune_fold(arguments.frames, arguments.encoder, arguments.out, fold=arguments.fold, seed=arguments.seed)
        return
    arguments.frames.mkdir(parents=True, exist_ok=True)
    encoder = load_encoder(arguments.encoder)
    makers = dict(list_makers(load_crema_d(arguments.crema_d), load_emodb(arguments.emodb)))
    for name in arguments.only:
        cache_frames(makers[name](), encoder, arguments.frames / name)


if __name__ == "__main__":
    main()
