"""What every object store promises, and its in-memory twin for tests; never knows what an object means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

from storage.errors import (
    ObjectChanged,
    ObjectMissing,
    ObjectTruncated,
    StorageDenied,
    StorageError,
    StorageUnavailable,
)
from storage.objects import OpenedObject, StoredObject, is_listed, pages
from storage.spool import spool

__all__ = [
    "MemoryStore",
    "ObjectChanged",
    "ObjectMissing",
    "ObjectStore",
    "ObjectTruncated",
    "OpenedObject",
    "StorageDenied",
    "StorageError",
    "StorageUnavailable",
    "StoredObject",
]


class ObjectStore(Protocol):
    """A bucket of objects. Every call may raise StorageUnavailable or StorageDenied beside what it names."""

    @property
    def name(self) -> str:
        """Kind of store, as the database keeps it: `s3`, `local` or `memory`."""
        ...

    @property
    def bucket(self) -> str:
        """Which one of that kind."""
        ...

    @property
    def lists_now(self) -> bool:
        """Whether a listing shows what is there now; a list that was written hours ago does not."""
        ...

    def list_objects(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[list[StoredObject]]:
        """Give the objects whose key begins with `prefix`, in pages of 1 to 1,000.

        Hidden objects (see `is_listed`) are left out. Pages come in the store's key order: UTF-8 bytes everywhere
        but in S3 servers that sort otherwise.

        Args:
            prefix: plain text; `notes` also finds `notes2/a.wav`.
            start_after: give only keys that come after this one.
        """
        ...

    def head(self, key: str) -> StoredObject:
        """Describe the current version of an object, metadata included.

        Raises:
            ObjectMissing: there is none.
        """
        ...

    def open(self, key: str, *, version_tag: str, size_bytes: int) -> OpenedObject:
        """Fetch one object version completely, before anything is read from it.

        Args:
            key: the object.
            version_tag: the version that was registered.
            size_bytes: its registered length.

        Raises:
            ObjectMissing: the object is gone.
            ObjectChanged: another version is there now.
            ObjectTruncated: it is this version, with fewer bytes.
        """
        ...

    def read_range(self, key: str, *, start: int, n_bytes: int, version_tag: str) -> bytes:
        """Read a short part of an object version, where all of it would be too much.

        A folder cannot tell a version without reading all of it, so there a file that was replaced meanwhile is read.

        Args:
            key: the object.
            start: the first byte, from 0.
            n_bytes: at most so many, 1 or more.
            version_tag: the version that was listed.

        Returns:
            The bytes; fewer where the object ends, none from its end on.

        Raises:
            ObjectMissing: the object is gone.
            ObjectChanged: another version is there now.
        """
        ...

    def put(self, key: str, content: bytes, *, metadata: Mapping[str, str] | None = None) -> StoredObject:
        """Store an object, replacing what was there."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is fine."""
        ...

    def erase(self, key: str) -> None:
        """Remove every version of an object, and look again until none is there; one that is gone already is fine.

        Raises:
            StorageUnavailable: something is still there after several rounds.
        """
        ...

    def verify(self, prefix: str = "") -> None:
        """Prove by a real round trip that listing, and reading if there is an object, works."""
        ...


@dataclass(frozen=True)
class _Entry:
    stored: StoredObject
    content: bytes


class MemoryStore:
    """The twin of a real store for tests: same promises, no disk, no network."""

    name = "memory"
    lists_now = True

    def __init__(self, bucket: str = "memory") -> None:
        self.bucket = bucket
        self._entries: dict[str, _Entry] = {}

    def put(
        self,
        key: str,
        content: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        uploaded_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> StoredObject:
        """Store an object, replacing what was there."""
        tag = sha256(content).hexdigest()
        stored = StoredObject(key, tag, len(content), uploaded_at, dict(metadata or {}))
        self._entries[key] = _Entry(stored, content)
        return stored

    def list_objects(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[list[StoredObject]]:
        """Give pages in UTF-8 order of keys."""
        after = (start_after or "").encode()
        keys = sorted((key for key in self._entries if key.startswith(prefix)), key=str.encode)
        yield from pages(self._entries[key].stored for key in keys if is_listed(key, prefix) and key.encode() > after)

    def head(self, key: str) -> StoredObject:
        """Describe an object."""
        return self._entry(key).stored

    def open(self, key: str, *, version_tag: str, size_bytes: int) -> OpenedObject:
        """Copy an object out."""
        entry = self._entry(key)
        if entry.stored.version_tag != version_tag:
            raise ObjectChanged("the object was replaced after it was registered")
        file, digest, n_bytes = spool([entry.content], limit_bytes=size_bytes)
        return OpenedObject(file, digest, n_bytes)

    def read_range(self, key: str, *, start: int, n_bytes: int, version_tag: str) -> bytes:
        """Cut a part out."""
        entry = self._entry(key)
        if entry.stored.version_tag != version_tag:
            raise ObjectChanged("the object was replaced after it was listed")
        return entry.content[start : start + n_bytes]

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._entries.pop(key, None)

    def erase(self, key: str) -> None:
        """Remove an object, which has one version."""
        self.delete(key)

    def verify(self, prefix: str = "") -> None:
        """Do nothing: memory can always be read."""

    def _entry(self, key: str) -> _Entry:
        if key not in self._entries:
            raise ObjectMissing("there is no such object")
        return self._entries[key]
