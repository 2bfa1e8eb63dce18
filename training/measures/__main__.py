"""Write the report of a CSV of predictions; it needs no corpus and no model."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.measures.predictions import read_predictions
from training.measures.writing import write_report
from training.protocols import Protocol
from training.screen import say


def main() -> None:
    """Read the CSV, write both files, and print the measures."""
    parser = argparse.ArgumentParser(prog="python -m training.measures", description=__doc__)
    parser.add_argument("predictions", type=Path, help="CSV: utterance, speaker, fold, truth, one column a label")
    parser.add_argument("--out", type=Path, required=True, help="folder for report.html and report.json")
    parser.add_argument("--title", default="Emotion predictions")
    parser.add_argument("--protocol", default="speaker-independent", help="name of the protocol")
    parser.add_argument("--description", default="as the CSV's columns say", help="what is on which side")
    parser.add_argument("--speaker-dependent", action="store_true", help="tested speakers were trained on: warn")
    arguments = parser.parse_args()
    protocol = Protocol(
        arguments.protocol, arguments.description, (), is_speaker_independent=not arguments.speaker_dependent
    )
    summary = write_report(
        read_predictions(arguments.predictions), arguments.out, title=arguments.title, protocol=protocol
    )
    for one in summary.measures:
        spread = "" if one.deviation is None else f" +- {one.deviation:.3f}"
        say(f"{one.name:16} {one.mean:.3f}{spread}")


if __name__ == "__main__":
    main()
