"""Reach files below a folder without following a symbolic link or leaving it; never trusts a key."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Literal

from storage.errors import ObjectMissing, StorageDenied, StorageUnavailable
from storage.objects import MAX_KEY_BYTES

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a named pipe would wait for somebody to write into it.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder: `sort_key` ends with `/` for folders, which is how S3 orders their contents."""

    name: str
    sort_key: bytes
    kind: Literal["folder", "file", "other"]


def split_key(key: str) -> list[str]:
    """Split a key into its parts.

    Raises:
        StorageDenied: it is empty, absolute, longer than 1,024 bytes, has an empty, `.` or `..` part or a NUL.
    """
    parts = key.split("/")
    if any(part in {"", ".", ".."} for part in parts) or "\0" in key:
        raise StorageDenied("a key must be a relative path without empty, '.' or '..' parts and without NUL")
    if len(key.encode(errors="surrogateescape")) > MAX_KEY_BYTES:
        raise StorageDenied(f"a key must have at most {MAX_KEY_BYTES} bytes")
    return parts


def open_root(root: Path) -> int:
    """Open a store's folder, which may have been reached through links, and return its descriptor.

    Raises:
        StorageUnavailable: it is not there.
        StorageDenied: it may not be entered.
    """
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _root_error(root, error) from error


def open_inner_folder(folder: int, name: str) -> int:
    """Open a folder that lies in one that is open, and return its descriptor; a link is none.

    Raises:
        ObjectMissing: there is no folder of this name.
        StorageDenied: it may not be entered.
    """
    with translated():
        return os.open(name, _FOLDER_FLAGS, dir_fd=folder)


@contextmanager
def open_folder(root: Path, parts: list[str], *, create: bool = False) -> Iterator[int]:
    """Open a folder below `root` step by step, so that no link on the way is followed.

    Args:
        root: the folder that must not be left; may itself have been reached through links.
        parts: names of folders below it.
        create: make the ones that are missing, but not `root`.

    Yields:
        A file descriptor of the folder.

    Raises:
        StorageUnavailable: `root` is not there.
        ObjectMissing: a part is missing, or is a link or a file.
        StorageDenied: a folder may not be entered.
    """
    folder = open_root(root)
    try:
        for part in parts:
            if create:
                with translated(), suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
            inner = open_inner_folder(folder, part)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def open_file(root: Path, key: str) -> int:
    """Open the regular file that a key names and return its descriptor.

    Raises:
        StorageUnavailable: `root` is not there.
        ObjectMissing: there is no regular file (a link, a pipe and a device are none).
        StorageDenied: the key is not allowed, or the file may not be read.
    """
    *folders, name = split_key(key)
    with open_folder(root, folders) as folder:
        return open_regular(folder, name)


def open_regular(folder: int, name: str) -> int:
    """Open the regular file of a name in a folder that is open, and return its descriptor.

    Raises:
        ObjectMissing: there is no regular file (a link, a pipe and a device are none).
        StorageDenied: it may not be read.
    """
    with translated():
        descriptor = os.open(name, _FILE_FLAGS, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ObjectMissing("there is no regular file under this key")
    return descriptor


def list_entries(folder: int) -> list[Entry]:
    """List a folder that is open, in key order.

    Returns:
        Its entries; `kind` is `folder`, `file`, or `other` for links, pipes, devices and names that are not UTF-8.

    Raises:
        ObjectMissing: the folder is gone.
        StorageDenied: it may not be listed.
    """
    with translated(), os.scandir(folder) as found:
        entries = [_describe(entry) for entry in found]
    return sorted(entries, key=lambda entry: entry.sort_key)


def _describe(entry: "os.DirEntry[str]") -> Entry:
    encoded = os.fsencode(entry.name)
    is_text = True
    try:
        encoded.decode()
    except UnicodeDecodeError:
        is_text = False
    if is_text and entry.is_dir(follow_symlinks=False):
        return Entry(entry.name, encoded + b"/", "folder")
    if is_text and entry.is_file(follow_symlinks=False):
        return Entry(entry.name, encoded, "file")
    return Entry(entry.name, encoded, "other")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the operating system's errors into this room's.

    Raises:
        ObjectMissing: no such name, or a link or a file where a folder was wanted.
        StorageDenied: no permission.
        StorageUnavailable: anything else, such as a failing disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}:
            raise ObjectMissing("there is no regular file under this key") from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise StorageDenied("the file may not be read: give this user permission to read it") from error
        raise StorageUnavailable(f"reading failed: {error.strerror}") from error


def _root_error(root: Path, error: OSError) -> StorageDenied | StorageUnavailable:
    """Say why the root folder cannot be opened; a folder that is away (unmounted) may come back."""
    if isinstance(error, PermissionError):
        return StorageDenied(f"{root} may not be read: give this user permission to read and enter it")
    return StorageUnavailable(f"{root} is not there ({error.strerror}): make or mount it")


def write_file(root: Path, key: str, content: bytes) -> None:
    """Write a file so that readers see either the old or the whole new content.

    Raises:
        StorageDenied: the key is not allowed, or the folder may not be written.
        StorageUnavailable: there is no room; nothing of the new content is left behind.
    """
    *folders, name = split_key(key)
    temporary = f".{token_hex(16)}.part"  # hidden: no listing shows it
    with open_folder(root, folders, create=True) as folder, translated():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with open(os.open(temporary, flags, 0o644, dir_fd=folder), "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)  # on a full disk it would keep what little room there is
            raise
        os.fsync(folder)


def refuse_moved(root: Path) -> None:
    """Refuse to remove anything below a folder that a link has taken the place of.

    Raises:
        StorageDenied: `root`, which was no link when it was registered, leads elsewhere now.
    """
    now = Path(os.path.realpath(root))  # Path.resolve raises where links go in a circle
    if now != root:
        raise StorageDenied(
            f"{root} leads to {now} now, and nothing is removed through a link: mount or bind that folder in its place"
        )


def remove_file(root: Path, key: str) -> None:
    """Remove a file; one that is gone already is fine.

    Raises:
        StorageDenied: the key is not allowed, or the folder may not be written.
    """
    *folders, name = split_key(key)
    with suppress(ObjectMissing), open_folder(root, folders) as folder, translated():
        try:
            os.unlink(name, dir_fd=folder)
        except IsADirectoryError:
            return  # a folder has taken the file's place
        except PermissionError as error:
            raise StorageDenied("the file may not be removed: let this user write in its folder") from error


def remove_empty_folders(root: Path, key: str) -> None:
    """Remove the folders of a key from the inmost on, up to the first that is not empty; `root` stays."""
    parts = split_key(key)[:-1]
    while parts:
        *outer, name = parts
        with suppress(ObjectMissing), open_folder(root, outer) as folder:
            try:
                os.rmdir(name, dir_fd=folder)
            except OSError:
                return  # not empty, or not ours to remove: the file is gone, which is what counts
        parts = outer
