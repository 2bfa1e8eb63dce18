"""Write what was found about groups as Markdown, JSON and one HTML page; it measures nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from training.measures.slices.found import SliceReport
from training.measures.slices.measures import MIN_SPEAKERS
from training.measures.slices.page import render_slices
from training.measures.slices.text import write_markdown

HTML_NAME, JSON_NAME, MARKDOWN_NAME = "slices.html", "slices.json", "slices.md"


def write_slices(report: SliceReport, folder: Path, *, title: str) -> str:
    """Write slices.md, slices.json and slices.html into a folder, and return the Markdown."""
    said = write_markdown(report, min_speakers=MIN_SPEAKERS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKDOWN_NAME).write_text(said + "\n", encoding="utf-8")
    (folder / JSON_NAME).write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    page = render_slices(report, title=title, min_speakers=MIN_SPEAKERS)
    (folder / HTML_NAME).write_text(page, encoding="utf-8")
    return said
