"""Write what was found about groups as Markdown and JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from training.data.files import write_json
from training.measures.slices.measures import MIN_SPEAKERS
from training.measures.slices.records import SliceReport
from training.measures.slices.text import write_markdown

JSON_NAME, MARKDOWN_NAME = "slices.json", "slices.md"


def write_slices(report: SliceReport, folder: Path) -> str:
    """Write slices.md and slices.json into a folder, and return the Markdown."""
    text = write_markdown(report, min_speakers=MIN_SPEAKERS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKDOWN_NAME).write_text(f"{text}\n", encoding="utf-8")
    write_json(folder / JSON_NAME, asdict(report))
    return text
