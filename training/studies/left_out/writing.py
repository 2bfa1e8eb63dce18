"""Write the tables of judged bundles as Markdown and as JSON beside each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from training.studies.left_out.judge import PROTOCOL, JudgedBundle
from training.studies.left_out.tables import format_report

MARKDOWN_NAME, JSON_NAME = "left_out.md", "left_out.json"


def write_report(judged: Sequence[JudgedBundle], folder: Path) -> list[str]:
    """Write left_out.md and left_out.json into a folder, and return the lines of the first."""
    lines = [PROTOCOL, *format_report(judged)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKDOWN_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    document = {"protocol": PROTOCOL, "bundles": [_write_bundle(bundle) for bundle in judged]}
    (folder / JSON_NAME).write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return lines


def _write_bundle(judged: JudgedBundle) -> dict[str, Any]:
    baseline = None if judged.baseline is None else judged.baseline.as_dict()
    return asdict(replace(judged, baseline=None)) | {"baseline": baseline}
