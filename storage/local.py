"""A folder on this machine as an object store; never follows a link, keeps no metadata and writes no side files."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from io import FileIO
from pathlib import Path

from storage.errors import ObjectChanged, ObjectMissing, ObjectTruncated, StorageUnavailable
from storage.objects import OpenedObject, StoredObject, is_unread, pages, unread_tag
from storage.paths import (
    open_file,
    open_regular,
    refuse_moved,
    remove_empty_folders,
    remove_file,
    translated,
    write_file,
)
from storage.spool import BLOCK_BYTES, spool
from storage.walk import FoundFile, counting, walk_files

_log = logging.getLogger(__name__)
MAX_READ_BYTES = 100 * 2**20
_MIN_SPARSE_BYTES = 2**20
PAGE_BYTES = 256 * 2**20
"""A page of a listing ends when so much was read for it: what comes later may be slow, and the page should not wait."""


class LocalStore:
    """Files below a folder; a key is the path below it with `/`, the version tag is the content's sha256.

    Listing therefore reads every file once, but for those beyond a limit and those that are holes for the most part:
    their tag is made of size and time (see `objects.is_unread`), so that none of them keeps anybody waiting. Hidden files
    and folders, symbolic links, pipes and names that are not UTF-8 are no objects, and neither is a file that is written to
    while it is read: the next listing has it. Files carry no user metadata, so `StoredObject.metadata` is always empty.
    """

    name = "local"
    lists_now = True

    def __init__(
        self,
        root: Path,
        *,
        only: str | None = None,
        max_read_bytes: int = MAX_READ_BYTES,
        is_registered: bool = False,
    ) -> None:
        """Point at a folder, which is looked at on first use.

        Args:
            root: the folder.
            only: list just this key, for a single file.
            max_read_bytes: what has more is described without reading it.
            is_registered: `root` is the `bucket` of a store that was opened before, and no link on its way.
        """
        self._root = root if is_registered else root.resolve()
        self._only = only
        self._max_read_bytes = max_read_bytes
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
        yield from pages(self._describe_all(prefix, (start_after or "").encode(), skipped), max_bytes=PAGE_BYTES)
        if skipped:
            _log.warning("files left out of the listing", extra={f"n_{kind}": n for kind, n in skipped.items()})

    def head(self, key: str) -> StoredObject:
        """Describe a file; reads all of it for its sha256, unless it is beyond the limit.

        Raises:
            ObjectMissing: there is none.
            ObjectChanged: it is being written.
        """
        with closing(self._open_file(key)) as file:
            return self._describe(file, key)

    def open(self, key: str, *, version_tag: str, size_bytes: int) -> OpenedObject:
        """Copy a file out, so that writing to it meanwhile changes nothing.

        ObjectTruncated never comes up: a file with fewer bytes has another tag, so it is ObjectChanged.
        """
        with closing(self._open_file(key)) as file:
            before = os.fstat(file.fileno())
            if before.st_size != size_bytes:
                raise ObjectChanged("the file was replaced after it was registered: its size differs")
            try:
                copy, digest, n_bytes = spool(_read_blocks(file), limit_bytes=size_bytes)
            except ObjectTruncated as error:
                raise ObjectChanged("the file became shorter while it was read") from error
            is_the_same = version_tag == (_tag_unread(before) if is_unread(version_tag) else digest)
            if is_unread(version_tag) and not _is_as_before(file, before):
                is_the_same = False
        if not is_the_same:
            copy.close()
            what = "time" if is_unread(version_tag) else "sha256"
            raise ObjectChanged(f"the file was replaced after it was registered: its {what} differs")
        return OpenedObject(copy, digest, n_bytes)

    def read_range(self, key: str, *, start: int, n_bytes: int, version_tag: str) -> bytes:  # noqa: ARG002 - see the protocol
        """Read a part of a file, of whatever version is there."""
        with closing(self._open_file(key)) as file, translated():
            file.seek(start)
            return file.read(n_bytes) or b""

    def delete(self, key: str) -> None:
        """Remove a file; nothing where the folder leads elsewhere by a link by now."""
        refuse_moved(self._root)
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
        for key in self._keys(prefix):
            with closing(self._open_file(key)) as file, translated():
                file.read(1)
            return

    def _keys(self, prefix: str) -> Iterator[str]:
        if self._only is not None:
            yield from [self._only] if self._only.startswith(prefix) else []
            return
        with closing(walk_files(self._root, prefix=prefix, after=b"", skipped=Counter())) as found:
            for file in found:
                yield file.key

    def _describe_all(self, prefix: str, after: bytes, skipped: "Counter[str]") -> Iterator[StoredObject]:
        if self._only is not None:
            if self._only.startswith(prefix) and self._only.encode() > after:
                yield from self._describe_one(self._only, lambda: self._open_file(self._only or ""), skipped)
            return
        with closing(walk_files(self._root, prefix=prefix, after=after, skipped=skipped)) as found:
            for item in found:
                yield from self._describe_one(item.key, partial(_open_found, item), skipped)

    def _describe_one(self, key: str, open_it: Callable[[], FileIO], skipped: "Counter[str]") -> Iterator[StoredObject]:
        """Give one object, or none where the file is gone or is not to be described now."""
        described = None
        with counting(skipped), closing(open_it()) as file:
            described = self._describe(file, key)
        if described is not None:
            yield described

    def _describe(self, file: FileIO, key: str) -> StoredObject:
        before = os.fstat(file.fileno())
        uploaded_at = _modified_at(before)
        if before.st_size > self._max_read_bytes or _is_sparse(file, before):
            return StoredObject(key, _tag_unread(before), before.st_size, uploaded_at, {})
        digest = sha256()
        n_bytes = 0
        for block in _read_blocks(file):
            digest.update(block)
            n_bytes += len(block)
            if n_bytes > before.st_size:
                break
        if n_bytes != before.st_size or not _is_as_before(file, before):
            raise ObjectChanged("the file is being written: try again when it is complete")
        return StoredObject(key, digest.hexdigest(), n_bytes, uploaded_at, {})

    def _open_file(self, key: str) -> FileIO:
        return FileIO(open_file(self._root, key))


def _open_found(found: FoundFile) -> FileIO:
    return FileIO(open_regular(found.folder, found.name))


def _modified_at(found: os.stat_result) -> datetime:
    """Return when a file was written to; some file systems keep years that no calendar has, and anybody may set them."""
    earliest_s, latest_s = -62_135_510_400, 253_402_214_400  # 2 January of the year 1, 31 December 9999: in every zone
    return datetime.fromtimestamp(min(max(found.st_mtime, earliest_s), latest_s), UTC)


def _is_sparse(file: FileIO, found: os.stat_result) -> bool:
    """Whether more than half of a file is holes: a thousand of them cost no disk, and as much time as real ones."""
    if found.st_size < _MIN_SPARSE_BYTES or 2 * _n_stored_bytes(found) >= found.st_size:
        return False
    try:
        # Some network folders count no blocks at all; of those none says that there is a hole.
        is_holed = os.lseek(file.fileno(), 0, os.SEEK_HOLE) < found.st_size
    except OSError:
        return False
    finally:
        file.seek(0)
    return is_holed


def _n_stored_bytes(found: os.stat_result) -> int:
    return found.st_blocks * 512  # POSIX leaves the unit open; Linux, macOS and the BSDs have 512


def _tag_unread(found: os.stat_result) -> str:
    # Without the inode: some network folders number their files anew at each mount, and all would be other versions.
    return unread_tag(found.st_size, found.st_mtime_ns)


def _is_as_before(file: FileIO, before: os.stat_result) -> bool:
    now = os.fstat(file.fileno())
    return (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def _read_blocks(file: FileIO) -> Iterator[bytes]:
    while True:
        try:
            block = file.read(BLOCK_BYTES)
        except OSError as error:
            raise StorageUnavailable(f"reading failed: {error.strerror}") from error
        if not block:
            return
        yield block
