"""Read the list of an S3 Inventory in place of a listing: streamed, in key order, in flat memory.

An inventory is hours or days old. So it only says where to look: scans ask the store for every object before they
register it, and what is newer than the list is found by the next listing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import md5
from typing import BinaryIO

from storage.errors import ObjectMissing
from storage.inventory_rows import InventoryError, read_csv, read_parquet
from storage.objects import OpenedObject, StoredObject, is_listed, pages
from storage.protocol import ObjectStore
from storage.sorted_runs import sort_objects

__all__ = ["InventoriedStore", "Inventory", "InventoryError", "read_inventory"]

MAX_MANIFEST_BYTES = 64 * 2**20  # of 100 million objects some hundred files are named
_ARN = "arn:aws:s3:::"
_READERS = {"CSV": read_csv, "Parquet": read_parquet}
_BLOCK_BYTES = 2**20
_READ_ONLY = "an inventory stands in for a listing and only reads: write to the bucket's own store"


@dataclass(frozen=True)
class _File:
    key: str
    size_bytes: int
    md5: str


@dataclass(frozen=True)
class Inventory:
    """A manifest that was read.

    Attributes:
        store: where the list lies.
        bucket: the bucket that it lists.
        format: `CSV` or `Parquet`.
        schema: names of the columns, as the manifest writes them.
        files: of the list, in the manifest's order.
    """

    store: ObjectStore
    bucket: str
    format: str
    schema: str
    files: tuple[_File, ...]

    def rows(self) -> Iterator[StoredObject]:
        """Give the objects that are current in the list, in its order.

        Raises:
            InventoryError: a file is not the one of the manifest, or its rows cannot be used.
            StorageError: a file cannot be read.
        """
        for file in self.files:
            with self._open(file) as opened:
                yield from _READERS[self.format](opened.file, schema=self.schema, bucket=self.bucket, name=file.key)

    def _open(self, file: _File) -> OpenedObject:
        stored = self.store.head(file.key)
        opened = self.store.open(file.key, version_tag=stored.version_tag, size_bytes=stored.size_bytes)
        digest = _hash(opened.file)
        if digest != file.md5 or stored.size_bytes != file.size_bytes:
            opened.file.close()
            raise InventoryError(
                f"{file.key!r} has {stored.size_bytes} bytes and MD5 {digest}, but the manifest says {file.size_bytes} and "
                f"{file.md5}: take an inventory that is complete"
            )
        return opened


def read_inventory(store: ObjectStore, key: str) -> Inventory:
    """Read the manifest of an inventory, and its checksum where there is one beside it.

    Args:
        store: the bucket that inventories are written to.
        key: of the manifest, which ends in `manifest.json`.

    Raises:
        InventoryError: it is no manifest of an inventory, or its list is in a format that is not read.
        StorageError: it cannot be read.
    """
    content = _fetch(store, key)
    try:
        document = json.loads(content)
        source, written = document["sourceBucket"], document["fileFormat"]
        schema = document["fileSchema"]
        files = tuple(_File(file["key"], int(file["size"]), file["MD5checksum"].lower()) for file in document["files"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InventoryError(
            f"{key!r} is no manifest of an S3 Inventory: it needs sourceBucket, fileFormat, fileSchema and files"
        ) from None
    if written not in _READERS:
        raise InventoryError(
            f"the inventory's format is {written!r}; CSV and Parquet are read: choose one of them in its configuration"
        )
    _check_manifest(store, key, content)
    return Inventory(store, str(source).removeprefix(_ARN), written, str(schema), files)


class InventoriedStore:
    """A bucket whose listing is the list of an inventory; whatever else is asked goes to the bucket itself."""

    lists_now = False

    def __init__(self, store: ObjectStore, inventory: Inventory) -> None:
        """Put the list in the place of the listing.

        Raises:
            InventoryError: the inventory is of another bucket.
        """
        if store.bucket != inventory.bucket:
            raise InventoryError(
                f"the inventory lists the bucket {inventory.bucket!r}, and recordings are in {store.bucket!r}"
            )
        self._store = store
        self._inventory = inventory
        self.name = store.name
        self.bucket = store.bucket

    def list_objects(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[list[StoredObject]]:
        """Give pages in UTF-8 order of keys; metadata is None throughout, so that every new object is asked for."""
        after = (start_after or "").encode()
        wanted = (
            item
            for item in self._inventory.rows()
            if item.key.startswith(prefix) and is_listed(item.key, prefix) and item.key.encode() > after
        )
        yield from pages(sort_objects(wanted))

    def head(self, key: str) -> StoredObject:
        """Ask the bucket."""
        return self._store.head(key)

    def open(self, key: str, *, version_tag: str, size_bytes: int) -> OpenedObject:
        """Ask the bucket."""
        return self._store.open(key, version_tag=version_tag, size_bytes=size_bytes)

    def read_range(self, key: str, *, start: int, n_bytes: int, version_tag: str) -> bytes:
        """Ask the bucket."""
        return self._store.read_range(key, start=start, n_bytes=n_bytes, version_tag=version_tag)

    def put(self, key: str, content: bytes, *, metadata: Mapping[str, str] | None = None) -> StoredObject:
        """Refuse: a scan writes nothing."""
        raise NotImplementedError(_READ_ONLY)

    def delete(self, key: str) -> None:
        """Refuse: a scan removes nothing."""
        raise NotImplementedError(_READ_ONLY)

    def erase(self, key: str) -> None:
        """Refuse: a scan removes nothing."""
        raise NotImplementedError(_READ_ONLY)

    def verify(self, prefix: str = "") -> None:
        """Ask the bucket."""
        self._store.verify(prefix)


def _fetch(store: ObjectStore, key: str) -> bytes:
    stored = store.head(key)
    if stored.size_bytes > MAX_MANIFEST_BYTES:
        raise InventoryError(f"{key!r} has {stored.size_bytes} bytes; {MAX_MANIFEST_BYTES} are allowed")
    with store.open(key, version_tag=stored.version_tag, size_bytes=stored.size_bytes) as opened:
        return opened.file.read()


def _check_manifest(store: ObjectStore, key: str, content: bytes) -> None:
    beside = key.removesuffix(".json") + ".checksum"
    try:
        said = _fetch(store, beside).decode("ascii", errors="replace").strip().lower()
    except ObjectMissing:
        return
    if said != md5(content, usedforsecurity=False).hexdigest():
        raise InventoryError(f"{key!r} is not what {beside!r} says: take an inventory that is complete")


def _hash(file: BinaryIO) -> str:
    digest = md5(usedforsecurity=False)  # as S3 writes it; it tells a broken file, not a forged one
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()
