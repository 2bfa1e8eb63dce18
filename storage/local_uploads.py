"""Take an upload into a folder: streamed into a hidden place, then shown with its sidecar in one step."""

import os
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from shutil import rmtree
from types import TracebackType
from typing import Self

from storage.errors import ObjectMissing, StorageDenied
from storage.paths import open_folder, refuse_moved, split_key, translated
from storage.sidecars import SUFFIX

_MARK = ".part-"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class TooManyBytes(StorageDenied):
    """More was sent than is allowed."""


class LocalUpload:
    """A file that grows in a hidden folder beside its place; a context manager that leaves nothing unless it was shown.

    The recording's folder is renamed as a whole, so that no listing sees it without its sidecar.
    """

    def __init__(self, root: Path, key: str, *, max_bytes: int) -> None:
        """Point at a place; nothing is made yet.

        Args:
            root: the store's folder, without links on its way.
            key: of the recording, `.../FOLDER/NAME`; FOLDER holds nothing else.
            max_bytes: how much it may have.

        Raises:
            StorageDenied: the key is not allowed.
        """
        *self._above, self._folder, self._name = split_key(key)
        self._root = root
        self._hidden = f"{_MARK}{token_hex(16)}"
        self._max_bytes = max_bytes
        self._digest = sha256()
        self._file: int | None = None
        self.n_bytes = 0

    def __enter__(self) -> Self:
        refuse_moved(self._root)
        with open_folder(self._root, [*self._above, self._hidden], create=True) as folder, translated():
            self._file = os.open(self._name, _FLAGS, 0o644, dir_fd=folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        with suppress(ObjectMissing), open_folder(self._root, self._above) as above:
            rmtree(self._hidden, ignore_errors=True, dir_fd=above)

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of what was written up to now."""
        return self._digest.hexdigest()

    def write(self, block: bytes) -> None:
        """Add bytes.

        Raises:
            TooManyBytes: there are more than `max_bytes` now.
            StorageUnavailable: there is no room.
        """
        assert self._file is not None
        self.n_bytes += len(block)
        if self.n_bytes > self._max_bytes:
            raise TooManyBytes(f"more than {self._max_bytes} bytes were sent")
        self._digest.update(block)
        left = memoryview(block)
        with translated():
            while left:
                left = left[os.write(self._file, left) :]

    def settle(self, sidecar: bytes) -> None:
        """Put the sidecar beside it, and see to it that both survive a power cut.

        Raises:
            StorageUnavailable: there is no room.
        """
        assert self._file is not None
        with translated():
            os.fsync(self._file)
        self._close()
        with open_folder(self._root, [*self._above, self._hidden]) as folder, translated():
            with os.fdopen(os.open(self._name + SUFFIX, _FLAGS, 0o644, dir_fd=folder), "wb") as file:
                file.write(sidecar)
                file.flush()
                os.fsync(file.fileno())
            os.fsync(folder)

    def show(self) -> None:
        """Let listings see it.

        Raises:
            StorageUnavailable: something is there already, or the folder may not be written.
        """
        with open_folder(self._root, self._above) as above, translated():
            os.rename(self._hidden, self._folder, src_dir_fd=above, dst_dir_fd=above)
            os.fsync(above)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def remove_left_over(root: Path, folders: list[str], *, older_than_s: float) -> int:
    """Remove what processes that were killed in the middle of an upload left behind; gives how much.

    Args:
        root: the store's folder.
        folders: the folder below it in which uploads lie.
        older_than_s: leave what was begun later, for it may still grow.
    """
    n_removed = 0
    with suppress(ObjectMissing), open_folder(root, folders) as above, translated(), os.scandir(above) as found:
        for entry in found:
            is_old = time.time() - entry.stat(follow_symlinks=False).st_mtime > older_than_s
            if entry.name.startswith(_MARK) and is_old and entry.is_dir(follow_symlinks=False):
                rmtree(entry.name, ignore_errors=True, dir_fd=above)
                n_removed += 1
    return n_removed
