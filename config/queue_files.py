"""The files of the file queue, each read within a limit and only where it is a regular file: links and pipes are none."""

from __future__ import annotations

import base64
import fcntl
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem
from kombu.transport.filesystem import exchange_queue_t

_log = logging.getLogger(__name__)
MAX_MESSAGE_BYTES = 256 * 1024
"""Of a message and of a table of bindings; ours have less than 2 KiB."""
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ENCODINGS = (None, "base64")


class NoRegularFile(OSError):
    """There is a link, a pipe, a device or a folder in place of a file."""


def list_messages(folder: Path, queue: str) -> list[str]:
    """Return the names of the messages for a queue, in the order in which they were put; what is no file is none."""
    ending = f"{queue}.msg"
    with os.scandir(folder) as found:
        return sorted(
            entry.name
            for entry in found
            if entry.name.partition(".")[2] == ending and entry.is_file(follow_symlinks=False)
        )


def take_message(file: Path, moved: Path) -> dict[str, Any] | None:
    """Move a message away, so that nobody else has it, read it and remove it; None where it is gone or is no message."""
    try:
        file.rename(moved)
    except OSError:
        return None  # another worker was faster, or it may not be moved
    try:
        with closing(_open(moved, os.O_RDONLY)) as opened:
            payload: dict[str, Any] | None = filesystem.loads(_read(opened).decode())  # type: ignore[attr-defined, no-untyped-call]
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        _log.warning("message dropped: its file cannot be read as JSON", extra={"error": type(error).__name__})
        payload = None
    else:
        if not _is_message(payload):
            _log.warning("message dropped: its file holds no message")
            payload = None
    try:
        moved.unlink()
    except OSError as error:
        _log.warning("message not removed", extra={"error": type(error).__name__})
    return payload


def _is_message(payload: Any) -> bool:
    """Whether kombu can make a message of it; the task's own part is looked at by whoever takes it."""
    if not isinstance(payload, dict) or not isinstance(payload.get("headers"), dict | None):
        return False
    properties, body = payload.get("properties"), payload.get("body")
    if not isinstance(properties, dict) or not isinstance(properties.get("delivery_info"), dict):
        return False
    if not isinstance(properties.get("delivery_tag"), str | int) or not isinstance(body, str | None):
        return False
    encoding = properties.get("body_encoding")
    try:
        return encoding in _ENCODINGS and (encoding is None or base64.b64decode(body or "") is not None)
    except (TypeError, ValueError):
        return False


def read_bindings(file: Path) -> list[exchange_queue_t]:
    """Read a table of bindings; none where there is no file, or what is there is no table.

    Raises:
        ChannelError: it cannot be read.
    """
    try:
        with closing(_open(file, os.O_RDONLY)) as opened:
            fcntl.flock(opened, fcntl.LOCK_SH)
            return _parse_bindings(_read(opened), file)
    except (FileNotFoundError, NoRegularFile):
        return []
    except OSError as error:
        raise ChannelError(f"{file} cannot be read: {error.strerror or error}") from error


def change_bindings(file: Path, change: Callable[[list[exchange_queue_t]], list[exchange_queue_t]]) -> None:
    """Change a table of bindings; what is no table there is replaced.

    Raises:
        ChannelError: it cannot be written.
    """
    try:
        with _open_table(file) as opened:
            old = _parse_bindings(_read(opened), file)
            new = change(list(old))
            opened.seek(0)
            opened.truncate()
            opened.write(filesystem.dumps(new).encode())  # type: ignore[attr-defined, no-untyped-call]
    except OSError as error:
        raise ChannelError(f"{file} cannot be used: {error.strerror or error}; remove it") from error


@contextmanager
def _open_table(file: Path) -> Iterator[FileIO]:
    """Open a table for one process at a time, in place of a link or pipe that has its name."""
    try:
        opened = _open(file, os.O_RDWR | os.O_CREAT)
    except NoRegularFile:
        file.unlink()
        _log.warning("what was no table of bindings was replaced")
        opened = _open(file, os.O_RDWR | os.O_CREAT)
    with closing(opened):
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield opened


def _parse_bindings(content: bytes, file: Path) -> list[exchange_queue_t]:
    if not content:
        return []
    try:
        rows = filesystem.loads(content.decode())  # type: ignore[attr-defined, no-untyped-call]
        if isinstance(rows, list) and all(_is_binding(row) for row in rows):
            return [exchange_queue_t(*row) for row in rows]
    except (ValueError, RecursionError):
        pass
    _log.warning("a table of bindings holds none", extra={"exchange": file.stem[:100]})
    return []


def _is_binding(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == len(exchange_queue_t._fields)
        and all(isinstance(cell, str) for cell in row)
    )


def _open(file: Path, flags: int) -> FileIO:
    """Open a regular file without waiting and without following a link.

    Raises:
        NoRegularFile: there is something else.
        OSError: as `os.open`.
    """
    try:
        descriptor = os.open(file, flags | _FLAGS, 0o600)
    except OSError as error:
        if file.is_symlink() or file.is_fifo() or file.is_socket():
            raise NoRegularFile(error.errno, "no regular file") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoRegularFile(0, "no regular file")
    return FileIO(descriptor, "r+" if flags & os.O_RDWR else "r")


def _read(opened: FileIO) -> bytes:
    """Read a file; empty where it has more than a message may have."""
    content = opened.read(MAX_MESSAGE_BYTES + 1) or b""
    return b"" if len(content) > MAX_MESSAGE_BYTES else content
