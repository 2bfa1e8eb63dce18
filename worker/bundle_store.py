"""Registered bundles where every worker can get them: by the hash of their files, in object storage or a folder.

The files of a bundle lie under `.bundles/<sha256>/`. Its first part is hidden, so that a scan of a place that holds the
store takes none of them for a recording. What is fetched is the bundle of that hash, or an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from config.settings import Settings
from storage.errors import ObjectChanged, ObjectMissing, ObjectTruncated, StorageDenied
from storage.local import LocalStore
from storage.objects import StoredObject
from storage.open import S3Access, open_store
from storage.protocol import ObjectStore
from worker.scoring.bundle_files import MANIFEST_FILE, MAX_FILES, BundleError, check_names, hash_files, limit_of

FOLDER = ".bundles"
"""Hidden: see `storage.objects.is_listed`."""


class BundleStore:
    """The place of `TONALOG_BUNDLES`.

    Attributes:
        place: as a person names it.
        is_remote: whether reading takes a network, so that a copy on this machine is worth its room.
    """

    def __init__(self, store: ObjectStore, *, prefix: str, place: str) -> None:
        self.place = place
        self.is_remote = store.name == "s3"
        self._store = store
        self._base = f"{prefix}/" if prefix and not prefix.endswith("/") else prefix

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Point at the store of this process's settings; nothing is contacted.

        Raises:
            StorageDenied: `TONALOG_BUNDLES` names neither a bucket nor a folder that is there.
        """
        if settings.bundles is None:
            return cls(LocalStore(settings.home), prefix="", place=str(settings.home / FOLDER))
        store, prefix = open_store(settings.bundles, s3=S3Access.of(settings))
        if isinstance(store, LocalStore) and prefix:
            raise StorageDenied(f"TONALOG_BUNDLES={settings.bundles!r} is a file, use s3://BUCKET/PREFIX or a folder")
        return cls(store, prefix=prefix, place=settings.bundles)

    def fetch(self, sha256: str) -> dict[str, bytes] | None:
        """Read the bundle of a hash; None where nothing is stored under it.

        Raises:
            BundleError: what is stored is not the bundle of this hash.
            StorageError: the store cannot be reached, or refuses.
        """
        found = self._list(sha256)
        if not found:
            return None
        where = f"the stored bundle {sha256[:12]} in {self.place}"
        check_names(list(found), where)
        try:
            files = {name: self._read(stored, where) for name, stored in found.items()}
        except (ObjectMissing, ObjectChanged, ObjectTruncated) as error:
            raise BundleError(f"{where} changed while it was read, a stored bundle stays as it is") from error
        if (actual := hash_files(files)) != sha256:
            fix = "run `tonalog models add DIR` with the registered bundle again"
            raise BundleError(f"{where} has other files than were registered (sha256 {actual[:12]}): {fix}")
        return files

    def put(self, files: Mapping[str, bytes]) -> str:
        """Store a bundle, or put right what is stored under its hash; one that is there and whole is left alone.

        Returns:
            Its hash.

        Raises:
            StorageError: the store cannot be reached, or this key may not write there.
        """
        sha256 = hash_files(files)
        with suppress(BundleError):
            if self.fetch(sha256) is not None:
                return sha256
        for name in self._list(sha256):
            if name not in files:
                self._store.delete(self._key(sha256, name))
        # The manifest comes last: a bundle without it is refused by its names, before its model is fetched.
        for name in sorted(files, key=lambda name: (name == MANIFEST_FILE, name)):
            self._store.put(self._key(sha256, name), files[name])
        return sha256

    def has(self, sha256: str) -> bool:
        """Say whether anything is stored under a hash; `fetch` proves that it is the bundle.

        Raises:
            StorageError: the store cannot be reached, or refuses.
        """
        return bool(self._list(sha256))

    def remove(self, sha256: str) -> int:
        """Remove what is stored under a hash; gives how many files.

        Raises:
            StorageError: the store cannot be reached, or this key may not delete there.
        """
        names = list(self._list(sha256))
        for name in names:
            key = self._key(sha256, name)
            # A folder would keep its empty folders; of a bucket with versions the old ones are the bucket's affair.
            self._store.erase(key) if isinstance(self._store, LocalStore) else self._store.delete(key)
        return len(names)

    def _list(self, sha256: str) -> dict[str, StoredObject]:
        prefix = self._key(sha256, "")
        found: dict[str, StoredObject] = {}
        for page in self._store.list_objects(prefix):
            found |= {stored.key.removeprefix(prefix): stored for stored in page}
            if len(found) > MAX_FILES:
                break
        return found

    def _read(self, stored: StoredObject, where: str) -> bytes:
        name = Path(stored.key).name
        if stored.size_bytes > limit_of(name):
            raise BundleError(f"{where}: {name} has {stored.size_bytes} bytes, allowed are {limit_of(name)}")
        with self._store.open(stored.key, version_tag=stored.version_tag, size_bytes=stored.size_bytes) as opened:
            return opened.file.read()

    def _key(self, sha256: str, name: str) -> str:
        return f"{self._base}{FOLDER}/{sha256}/{name}"
