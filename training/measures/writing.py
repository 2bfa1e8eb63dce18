"""Write a report of predictions: report.html and report.json beside each other."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from training.measures.bootstrap import N_DRAWS
from training.measures.page import render_page
from training.measures.predictions import Predictions
from training.measures.summary import Summary, summarise
from training.protocols import Protocol

HTML_NAME, JSON_NAME = "report.html", "report.json"


def write_report(
    predictions: Predictions, folder: Path, *, title: str, protocol: Protocol, seed: int = 0, n_draws: int = N_DRAWS
) -> Summary:
    """Measure predictions and write both files.

    Args:
        predictions: that the protocol's splits made.
        folder: made where it is not there.
        title: what was tested, for instance a model's name.
        protocol: its name and description are printed; both files say whether it depends on speakers.
        seed: of the bootstrap.
        n_draws: of the bootstrap, 1 or more.

    Returns:
        What was written.
    """
    summary = summarise(predictions, seed=seed, n_draws=n_draws)
    told = {
        "title": title,
        "protocol": protocol.name,
        "description": protocol.description,
        "is_speaker_independent": protocol.is_speaker_independent,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HTML_NAME).write_text(render_page(summary, title=title, protocol=protocol), encoding="utf-8")
    written = json.dumps({**told, **asdict(summary)}, indent=1, allow_nan=False)
    (folder / JSON_NAME).write_text(written + "\n", encoding="utf-8")
    return summary
