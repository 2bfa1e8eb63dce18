"""Measure a CSV of predictions by sex, age, race and ethnicity of CREMA-D's actors; it needs no audio and no model."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.measures.predictions import read_predictions
from training.measures.slices.actors import group_speakers, read_actors
from training.measures.slices.measures import N_DRAWS, measure_slices
from training.measures.slices.writing import HTML_NAME, JSON_NAME, MARKDOWN_NAME, write_slices
from training.screen import say


def main() -> None:
    """Print protocol and tables, and write them as slices.md, slices.json and slices.html."""
    parser = argparse.ArgumentParser(prog="python -m training.measures.slices", description=__doc__)
    parser.add_argument("predictions", type=Path, help="CSV of out-of-fold predictions, as a run writes it")
    parser.add_argument("--actors", type=Path, required=True, help="CREMA-D's VideoDemographics.csv")
    parser.add_argument("--uncertain-below", type=float, required=True, help="0 to 1")
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {HTML_NAME}, {JSON_NAME}, {MARKDOWN_NAME}")
    parser.add_argument("--title", default="Slices of CREMA-D's actors")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--draws", type=int, default=N_DRAWS, help="of the bootstrap")
    arguments = parser.parse_args()
    if not 0.0 <= arguments.uncertain_below <= 1.0 or arguments.draws < 1:
        parser.error(f"--uncertain-below {arguments.uncertain_below}, --draws {arguments.draws}: 0 to 1, and 1 or more")
    predictions = read_predictions(arguments.predictions)
    report = measure_slices(
        predictions,
        group_speakers(predictions.speakers.tolist(), read_actors(arguments.actors)),
        uncertain_below=arguments.uncertain_below,
        seed=arguments.seed,
        n_draws=arguments.draws,
    )
    say(*write_slices(report, arguments.out, title=arguments.title).split("\n"))


if __name__ == "__main__":
    main()
