"""Write files so that an interruption leaves the old one, the new one or none, never half of one; it reads nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def write_json(target: Path, values: Any) -> None:
    """Write values as JSON."""
    partial = target.with_name(f"{target.name}.partial")
    partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    partial.replace(target)


def write_arrays(target: Path, arrays: dict[str, Any]) -> None:
    """Write named arrays as one `.npz`."""
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    partial.replace(target)
