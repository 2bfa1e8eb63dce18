"""Where files are that were asked for over HTTP, and which of them go: a file counts only as long as a row names it."""

import os
import shutil
from collections.abc import Collection
from pathlib import Path


def folder_in(home: Path) -> Path:
    """Give the folder of these files in the home of Tonalog."""
    return home / "exports"


def remove_others(folder: Path, tokens: Collection[str], *, is_start: bool = False) -> int:
    """Remove the files that no row names any more; gives how many.

    Args:
        folder: where they are; it need not be there.
        tokens: that rows of `db.export_jobs` have; a file's name ends in its own.
        is_start: whether to remove what killed processes were writing too; whoever is still writing starts over.
    """
    n_removed = 0
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if entry.name.startswith("."):
            if is_start:
                shutil.rmtree(entry.path, ignore_errors=True)
        elif entry.name.removesuffix(".zip").rpartition("-")[2] not in tokens:
            Path(entry.path).unlink(missing_ok=True)
            n_removed += 1
    return n_removed
