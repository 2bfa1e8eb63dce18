"""Walk a folder in key order, each of its folders opened once, from the one that it lies in."""

import os
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from storage.errors import ObjectChanged, ObjectMissing, StorageDenied, StorageUnavailable
from storage.objects import MAX_KEY_BYTES, is_listed
from storage.paths import Entry, list_entries, open_inner_folder, open_root

MAX_DEPTH = 100
"""Folders within each other. Each is kept open while what lies in it is listed."""


MAX_FAILING = 20
"""Files and folders that a disk fails to give: one should not keep the others away, and more are a disk that is away."""


@dataclass(frozen=True)
class FoundFile:
    """A name that a folder gave for a regular file; `folder` is open until the next one is asked for."""

    key: str
    name: str
    folder: int


@dataclass(frozen=True)
class _Level:
    key: str
    folder: int
    found: os.stat_result
    entries: Iterator[Entry]


def walk_files(root: Path, *, prefix: str, after: bytes, skipped: "Counter[str]") -> Generator[FoundFile]:
    """Give the files whose key begins with `prefix` and comes after `after`, in UTF-8 order of keys.

    Args:
        root: the folder.
        prefix: plain text.
        after: a key in UTF-8; empty: from the first on.
        skipped: counts what is left out, by kind.

    Yields:
        The files, each while its folder is open. Close the generator if it is not gone through to its end.

    Raises:
        StorageUnavailable: `root` is not there, or a disk fails for more than MAX_FAILING folders.
        StorageDenied: `root` may not be listed.
    """
    levels: list[_Level] = []
    try:
        levels.append(_enter(open_root(root), ""))
        while levels:
            level = levels[-1]
            entry = next(level.entries, None)
            if entry is None:
                os.close(levels.pop().folder)
            elif entry.kind == "other":
                skipped["not_regular"] += 1
            elif _is_wanted(level.key + entry.name, entry, prefix=prefix, after=after, skipped=skipped):
                key = level.key + entry.name
                if entry.kind == "file":
                    yield FoundFile(key, entry.name, level.folder)
                elif (inner := _open_level(levels, entry, skipped)) is not None:
                    levels.append(inner)
    finally:
        for level in levels:
            os.close(level.folder)


def is_within_itself(folder: os.stat_result, ancestors: Sequence[os.stat_result]) -> bool:
    """Whether a folder is one of those that it lies in, as bind mounts and network folders can make it."""
    return any(os.path.samestat(folder, ancestor) for ancestor in ancestors)


def _is_wanted(key: str, entry: Entry, *, prefix: str, after: bytes, skipped: "Counter[str]") -> bool:
    """Whether a file is asked for, or a folder can hold one that is."""
    encoded = key.encode()
    if entry.kind == "folder":
        key, encoded = key + "/", encoded + b"/"
        is_asked_for = (key.startswith(prefix) or prefix.startswith(key)) and (
            encoded > after or after.startswith(encoded)
        )
    else:
        is_asked_for = key.startswith(prefix) and encoded > after
    if not is_asked_for or not is_listed(key.rstrip("/"), prefix):
        return False
    if len(encoded) > MAX_KEY_BYTES - (entry.kind == "folder"):
        skipped["too_deep" if entry.kind == "folder" else "too_long"] += 1
        return False
    return True


def _open_level(levels: list[_Level], entry: Entry, skipped: "Counter[str]") -> _Level | None:
    outer = levels[-1]
    if len(levels) > MAX_DEPTH:
        skipped["too_deep"] += 1
        return None
    with counting(skipped):
        folder = open_inner_folder(outer.folder, entry.name)
        if is_within_itself(os.fstat(folder), [level.found for level in levels]):
            skipped["within_itself"] += 1
            os.close(folder)
            return None
        return _enter(folder, f"{outer.key}{entry.name}/")
    return None


@contextmanager
def counting(skipped: "Counter[str]") -> Iterator[None]:
    """Count why one file or folder is left out, in place of raising; what is gone by now is not counted.

    Raises:
        StorageUnavailable: the disk failed for more than MAX_FAILING of them.
    """
    try:
        yield
    except ObjectMissing:
        pass
    except ObjectChanged:
        skipped["being_written"] += 1
    except StorageDenied:
        skipped["unreadable"] += 1
    except StorageUnavailable:
        skipped["failing"] += 1
        if skipped["failing"] > MAX_FAILING:
            raise


def _enter(folder: int, key: str) -> _Level:
    """List a folder that is open; it is closed where that fails."""
    try:
        return _Level(key, folder, os.fstat(folder), iter(list_entries(folder)))
    except BaseException:
        with suppress(OSError):
            os.close(folder)
        raise
