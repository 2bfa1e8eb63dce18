"""Copies of stored bundles on this machine, so that a worker process that starts fetches nothing again.

Every use reads all files and compares their hash, so that a copy that was damaged or is half there counts as none.
Processes share the folder without a lock: a copy is made under a name of its own and renamed when it is whole.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from shutil import rmtree

from worker.scoring.bundle_files import BundleError, hash_files, read_files

_log = logging.getLogger(__name__)
MAX_BUNDLES = 4
"""Two that are scored with, one to go back to, and one more."""
_NEW = ".new-"
_ABANDONED_S = 3_600


def read_copy(folder: Path, sha256: str) -> dict[str, bytes] | None:
    """Read the copy of a bundle; None where there is none, or not of this hash, and then it is removed."""
    copy = folder / sha256
    if not copy.is_dir():
        return None
    try:
        files = read_files(copy)
    except BundleError:
        files = {}
    if hash_files(files) != sha256:
        _log.warning("the copy of a bundle is damaged, fetching it again", extra={"bundle": sha256[:12]})
        rmtree(copy, ignore_errors=True)
        return None
    with suppress(OSError):
        os.utime(copy)  # what was not used for longest goes first
    return files


def keep_copy(folder: Path, sha256: str, files: Mapping[str, bytes]) -> None:
    """Write a copy and remove the least recently used ones beyond `MAX_BUNDLES`.

    Where that fails, as on a full disk, it is logged: a bundle that cannot be kept can be used all the same.
    """
    new = folder / f"{_NEW}{token_hex(8)}"
    try:
        new.mkdir(mode=0o700, parents=True)
        for name, content in files.items():
            (new / name).write_bytes(content)
        with suppress(FileExistsError):
            _rename(new, folder / sha256)
        _limit(folder)
    except OSError as error:
        _log.warning("no copy of a bundle is kept", extra={"bundle": sha256[:12], "error": error.strerror})
    finally:
        rmtree(new, ignore_errors=True)


def _rename(new: Path, copy: Path) -> None:
    """Give a folder its name, unless another process was first."""
    if copy.exists():
        raise FileExistsError
    try:
        new.rename(copy)
    except OSError:
        if not copy.is_dir():
            raise


def _limit(folder: Path) -> None:
    copies: list[tuple[float, Path]] = []
    for entry in folder.iterdir():
        with suppress(FileNotFoundError):  # another process removes as well
            used_at_s = entry.stat().st_mtime
            if not entry.name.startswith(_NEW):
                copies.append((used_at_s, entry))
            elif time.time() - used_at_s > _ABANDONED_S:
                rmtree(entry, ignore_errors=True)
    for _, copy in sorted(copies, reverse=True)[MAX_BUNDLES:]:
        rmtree(copy, ignore_errors=True)
