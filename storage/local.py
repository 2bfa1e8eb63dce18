"""A folder on this machine as an object store; never follows a link, keeps no metadata and writes no side files."""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from hashlib import sha256
from io import FileIO
from pathlib import Path

from storage.errors import ObjectChanged, ObjectMissing, ObjectTruncated, StorageDenied, StorageUnavailable
from storage.objects import OpenedObject, StoredObject, is_listed, pages
from storage.paths import list_folder, open_file, remove_empty_folders, remove_file, translated, write_file
from storage.spool import BLOCK_BYTES, spool

_log = logging.getLogger(__name__)


class LocalStore:
    """Files below a folder; a key is the path below it with `/`, the version tag is the content's sha256.

    Listing therefore reads every file once. Hidden files and folders, symbolic links, pipes and names that are not
    UTF-8 are no objects. Files carry no user metadata, so `StoredObject.metadata` is always empty.
    """

    name = "local"

    def __init__(self, root: Path, *, only: str | None = None) -> None:
        """Point at a folder, which is looked at on first use.

        Args:
            root: the folder.
            only: list just this key, for a single file.
        """
        self._root = root.resolve()
        self._only = only
        self.bucket = str(self._root)

    def put(self, key: str, content: bytes, *, metadata: Mapping[str, str] | None = None) -> StoredObject:
        """Store a file, replacing what was there.

        Raises:
            ValueError: `metadata` is not empty: a plain file has nowhere to keep it.
        """
        if metadata:
            raise ValueError("a local folder keeps no metadata; say who and when in the key")
        write_file(self._root, key, content)
        return self.head(key)

    def list_objects(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[list[StoredObject]]:
        """Give pages in UTF-8 order of keys; holds one folder's names a level in memory, not all keys.

        What is no object, or may not be read, is left out, and counted in one warning at the end.
        """
        skipped: Counter[str] = Counter()
        yield from pages(self._walk(prefix, (start_after or "").encode(), skipped))
        if skipped:
            _log.warning("files left out of the listing", extra={f"n_{kind}": n for kind, n in skipped.items()})

    def head(self, key: str) -> StoredObject:
        """Describe a file; reads all of it for its sha256."""
        with closing(self._open_file(key)) as file:
            digest = sha256()
            n_bytes = 0
            for block in _read_blocks(file):
                digest.update(block)
                n_bytes += len(block)
            modified_s = os.fstat(file.fileno()).st_mtime
        return StoredObject(key, digest.hexdigest(), n_bytes, datetime.fromtimestamp(modified_s, UTC), {})

    def open(self, key: str, *, version_tag: str, size_bytes: int) -> OpenedObject:
        """Copy a file out, so that writing to it meanwhile changes nothing.

        ObjectTruncated never comes up: a file with fewer bytes has another sha256, so it is ObjectChanged.
        """
        with closing(self._open_file(key)) as file:
            if os.fstat(file.fileno()).st_size != size_bytes:
                raise ObjectChanged("the file was replaced after it was registered: its size differs")
            try:
                copy, digest, n_bytes = spool(_read_blocks(file), limit_bytes=size_bytes)
            except ObjectTruncated as error:
                raise ObjectChanged("the file became shorter while it was read") from error
        if digest != version_tag:
            copy.close()
            raise ObjectChanged("the file was replaced after it was registered: its sha256 differs")
        return OpenedObject(copy, digest, n_bytes)

    def read_range(self, key: str, *, start: int, n_bytes: int, version_tag: str) -> bytes:  # noqa: ARG002 - see the protocol
        """Read a part of a file, of whatever version is there."""
        with closing(self._open_file(key)) as file, translated():
            file.seek(start)
            return file.read(n_bytes) or b""

    def delete(self, key: str) -> None:
        """Remove a file."""
        remove_file(self._root, key)

    def erase(self, key: str) -> None:
        """Remove a file and the folders that it leaves empty, because their names may be those of people."""
        self.delete(key)
        remove_empty_folders(self._root, key)
        with suppress(ObjectMissing):
            os.close(open_file(self._root, key))
            raise StorageUnavailable("the file is there again after it was removed: try again")

    def verify(self, prefix: str = "") -> None:
        """List the folder and read the first file.

        Raises:
            StorageUnavailable: the folder is not there.
            StorageDenied: it, or its first file, may not be read.
        """
        for key in self._keys(prefix, b"", Counter()):
            with closing(self._open_file(key)) as file, translated():
                file.read(1)
            return

    def _walk(self, prefix: str, after: bytes, skipped: Counter[str]) -> Iterator[StoredObject]:
        for key in self._keys(prefix, after, skipped):
            try:
                yield self.head(key)
            except ObjectMissing:
                continue  # removed since its folder was listed
            except StorageDenied:
                skipped["unreadable"] += 1

    def _keys(self, prefix: str, after: bytes, skipped: Counter[str]) -> Iterator[str]:
        if self._only is not None:
            keys = [self._only] if self._only.startswith(prefix) and self._only.encode() > after else []
            yield from keys
            return
        todo = [self._list("", skipped)]
        while todo:
            key = next(todo[-1], None)
            if key is None:
                todo.pop()
            elif not is_listed(key.rstrip("/"), prefix) or not _may_hold(key, prefix, after):
                continue
            elif key.endswith("/"):
                todo.append(self._list(key, skipped))
            else:
                yield key

    def _list(self, folder_key: str, skipped: Counter[str]) -> Iterator[str]:
        try:
            entries = list_folder(self._root, folder_key.split("/")[:-1])
        except ObjectMissing:
            return
        except StorageDenied:
            if not folder_key:
                raise
            skipped["unreadable"] += 1
            return
        for entry in entries:
            if entry.kind == "other":
                skipped["not_regular"] += 1
            else:
                yield folder_key + entry.name + ("/" if entry.kind == "folder" else "")

    def _open_file(self, key: str) -> FileIO:
        return FileIO(open_file(self._root, key))


def _may_hold(key: str, prefix: str, after: bytes) -> bool:
    """Whether a file is asked for, or a folder (its key ends with `/`) can hold one that is."""
    encoded = key.encode()
    if key.endswith("/"):
        is_wanted = key.startswith(prefix) or prefix.startswith(key)
        return is_wanted and (encoded > after or after.startswith(encoded))
    return key.startswith(prefix) and encoded > after


def _read_blocks(file: FileIO) -> Iterator[bytes]:
    while True:
        try:
            block = file.read(BLOCK_BYTES)
        except OSError as error:
            raise StorageUnavailable(f"reading failed: {error.strerror}") from error
        if not block:
            return
        yield block
