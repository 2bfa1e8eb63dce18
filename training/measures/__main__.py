"""Write the report of a CSV of predictions and, where tables are given, judge dimensions and groups; no corpus and model are needed."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.corpora.votes import read_votes
from training.measures.predictions import read_predictions
from training.measures.slices import group_speakers, measure_slices, read_actors
from training.measures.slices.measures import N_DRAWS
from training.measures.slices.writing import write_slices
from training.measures.validity import judge_labels, judge_votes
from training.measures.writing import write_report
from training.protocols import Protocol
from training.screen import say


def main() -> None:
    """Read the CSV, write what was asked for, and print the measures."""
    parser = argparse.ArgumentParser(prog="python -m training.measures", description=__doc__)
    parser.add_argument("predictions", type=Path, help="CSV: utterance, speaker, fold, truth, one column a label")
    parser.add_argument("--out", type=Path, required=True, help="folder for report.html and report.json, and slices")
    parser.add_argument("--title", default="Emotion predictions")
    parser.add_argument("--protocol", default="speaker-independent", help="name of the protocol")
    parser.add_argument("--description", default="as the CSV's columns say", help="what is on which side")
    parser.add_argument("--speaker-dependent", action="store_true", help="tested speakers were trained on: warn")
    parser.add_argument("--votes", type=Path, help="CSV: name, one column of counts a label (CREMA-D's listeners)")
    parser.add_argument("--actors", type=Path, help="CREMA-D's VideoDemographics.csv, to slice by")
    parser.add_argument("--uncertain-below", type=float, default=0.5, help="with --actors: 0 to 1")
    parser.add_argument("--draws", type=int, default=N_DRAWS, help="with --actors: of the bootstrap")
    given = parser.parse_args()
    if not 0.0 <= given.uncertain_below <= 1.0 or given.draws < 1:
        parser.error(f"--uncertain-below {given.uncertain_below}, --draws {given.draws}: 0 to 1, and 1 or more")
    protocol = Protocol(given.protocol, given.description, (), is_speaker_independent=not given.speaker_dependent)
    predictions = read_predictions(given.predictions)
    for measure in write_report(predictions, given.out, title=given.title, protocol=protocol).measures:
        spread = "" if measure.deviation is None else f" +- {measure.deviation:.3f}"
        say(f"{measure.name:16} {measure.mean:.3f}{spread}")
    if given.votes is not None:
        result = [*judge_labels(predictions), *judge_votes(predictions, read_votes(given.votes, predictions.labels))]
        for item in result:
            span = f"{item.interval.low:.3f} to {item.interval.high:.3f}"
            say(f"{item.name:32} {item.value:.3f} ({span}), {item.n_rows} utterances")
    if given.actors is not None:
        groups = group_speakers(predictions.speakers.tolist(), read_actors(given.actors))
        report = measure_slices(predictions, groups, uncertain_below=given.uncertain_below, n_draws=given.draws)
        say(*write_slices(report, given.out).split("\n"))


if __name__ == "__main__":
    main()
