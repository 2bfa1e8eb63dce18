"""Read the files of a bundle folder, each once and within limits, and hash them all together."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

MANIFEST_FILE, MODEL_FILE, CARD_FILE = "manifest.json", "model.onnx", "MODEL_CARD.md"
NEEDED = (MANIFEST_FILE, MODEL_FILE, CARD_FILE)
LICENCE_PREFIXES = ("LICENSE", "LICENCE", "NOTICE")
MAX_FILES = 32
MAX_TEXT_BYTES = 1 << 20
MAX_MODEL_BYTES = (1 << 31) - 1
"""Protocol Buffers reads no larger message: https://protobuf.dev/programming-guides/proto-limits/."""
_LICENCE = re.compile(rf"(?:{'|'.join(LICENCE_PREFIXES)})[A-Za-z0-9._-]{{0,80}}")
_DOMAIN = b"tonalog bundle 1\n"
# A FIFO does not hold us up and a link is not followed, even one that came after the look at the name.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class BundleError(Exception):
    """A bundle that cannot be used; the message names the value and what was allowed."""


def read_files(folder: Path) -> dict[str, bytes]:
    """Read every file of a bundle folder once.

    Args:
        folder: holds manifest.json, model.onnx, MODEL_CARD.md and licence texts, and nothing else.

    Returns:
        Name to content.

    Raises:
        BundleError: a file is missing or not allowed there, is no regular file, cannot be read or is too large.
    """
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (NotADirectoryError, FileNotFoundError):
        raise BundleError(
            f"{folder} is not a folder, a bundle is a folder with {MANIFEST_FILE} and {MODEL_FILE}"
        ) from None
    except OSError as error:
        raise BundleError(f"{folder} cannot be opened: {error.strerror}") from error
    try:
        return {name: _read_file(opened, folder, name) for name in _list_names(opened, folder)}
    finally:
        os.close(opened)


def hash_files(files: Mapping[str, bytes]) -> str:
    """Give the sha256, in hex, of names and contents together, in whatever order they are given.

    Each name and each content goes in with its length, so that no two bundles are the same text.

    >>> hash_files({"a": b"1", "b": b"2"}) == hash_files({"b": b"2", "a": b"1"})
    True
    >>> hash_files({"a": b"1b2"}) == hash_files({"a": b"1", "b": b"2"})
    False
    """
    whole = hashlib.sha256(_DOMAIN)
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            whole.update(len(part).to_bytes(8, "big"))
            whole.update(part)
    return whole.hexdigest()


def check_names(names: Collection[str], where: object) -> None:
    """Refuse a set of file names that is no bundle's.

    Raises:
        BundleError: there are too many, one is missing, or one is not allowed.
    """
    if len(names) > MAX_FILES:
        raise BundleError(f"{where} holds more than {MAX_FILES} files, a bundle has at most {MAX_FILES}")
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise BundleError(f"{where} lacks {missing}, a bundle needs {list(NEEDED)}")
    unknown = sorted(name for name in names if name not in NEEDED and not _LICENCE.fullmatch(name))
    if unknown:
        raise BundleError(f"{where} holds {unknown}, allowed are {list(NEEDED)} and licence texts")


def limit_of(name: str) -> int:
    """Give how many bytes a file of a bundle may have."""
    return MAX_MODEL_BYTES if name == MODEL_FILE else MAX_TEXT_BYTES


def _list_names(opened: int, folder: Path) -> list[str]:
    names: list[str] = []
    with os.scandir(opened) as entries:
        for entry in entries:
            names.append(entry.name)
            if len(names) > MAX_FILES:
                break
    check_names(names, folder)
    return sorted(names)


def _read_file(opened: int, folder: Path, name: str) -> bytes:
    limit = limit_of(name)
    path = folder / name
    try:
        # Looked at before it is opened as well: opening a device may already do something.
        _check_kind(path, os.stat(name, dir_fd=opened, follow_symlinks=False), limit)
        with open(os.open(name, _OPEN, dir_fd=opened), "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(file.fileno())
            _check_kind(path, status, limit)
            content = file.read(status.st_size + 1)  # it takes that much memory at once, whatever comes
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) != status.st_size:
        raise BundleError(f"{path} changed while it was read, a bundle's files stay as they are")
    return content


def _check_kind(path: Path, status: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path} is {_name_kind(status.st_mode)}, allowed are regular files")
    if status.st_size > limit:
        raise BundleError(f"{path} has {status.st_size} bytes, allowed are {limit}")


def _name_kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no file")
