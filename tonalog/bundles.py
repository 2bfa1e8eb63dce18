"""Find the bundle to score with: the one asked for, or the newest that is shipped."""

from __future__ import annotations

import re
from pathlib import Path

from config.settings import SHIPPED_MODELS, Settings
from tonalog.errors import TonalogError


def default_bundle(settings: Settings) -> Path:
    """Return `TONALOG_MODEL_DIR`, or the newest bundle that ships with Tonalog.

    Raises:
        TonalogError: No bundle is there.
    """
    if settings.model_dir is not None:
        return settings.model_dir
    shipped = [path.parent for path in SHIPPED_MODELS.glob("*/manifest.json")]
    if not shipped:
        raise TonalogError(f"No model in {SHIPPED_MODELS}: give one with --model DIR or TONALOG_MODEL_DIR.")
    return max(shipped, key=_version)


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", folder.name.rpartition("-")[2]))
