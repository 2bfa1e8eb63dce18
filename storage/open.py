"""From a URL or a stored place to a store; never contacts a server."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

from config.settings import Settings
from storage.errors import StorageDenied
from storage.local import MAX_READ_BYTES, LocalStore
from storage.protocol import ObjectStore

_GIVE = "give s3://BUCKET/PREFIX, a folder or a file"


@dataclass(frozen=True)
class S3Access:
    """How to reach S3, whatever the bucket; see `S3Store` for each field."""

    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    verify_tls: bool = True

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take the S3 settings of this process."""
        access, secret = settings.s3_access_key, settings.s3_secret_key
        return cls(
            endpoint_url=settings.s3_endpoint_url,
            region=settings.s3_region,
            access_key=access.get_secret_value() if access else None,
            secret_key=secret.get_secret_value() if secret else None,
            ca_bundle=str(settings.s3_ca_bundle) if settings.s3_ca_bundle else None,
        )


def open_store(
    place: str | Path, *, s3: S3Access = S3Access(), max_read_bytes: int = MAX_READ_BYTES
) -> tuple[ObjectStore, str]:
    """Open what a person named.

    Args:
        place: `s3://bucket/prefix` (the prefix is plain text, nothing is percent-decoded), a folder, or one file.
        s3: how to reach S3.
        max_read_bytes: files of a folder that have more are described without reading them.

    Returns:
        The store, and the prefix under which its recordings are.

    Raises:
        StorageDenied: no such folder or file, another scheme, or no bucket in the URL.

    Examples:
        >>> store, prefix = open_store("s3://notes/2026/march ")
        >>> store.name, store.bucket, prefix
        ('s3', 'notes', '2026/march ')
        >>> open_store("gs://notes")
        Traceback (most recent call last):
            ...
        storage.errors.StorageDenied: 'gs://' is not supported: give s3://BUCKET/PREFIX, a folder or a file
    """
    text = str(place)
    scheme, separator, rest = text.partition("://")
    if isinstance(place, Path) or not separator:
        return _open_path(_expand(Path(text)), max_read_bytes)
    if scheme == "file":
        return _open_path(_path_of(text), max_read_bytes)
    if scheme.lower() != "s3":
        raise StorageDenied(f"{scheme + '://'!r} is not supported: {_GIVE}")
    bucket, _, prefix = rest.partition("/")
    if not bucket:
        raise StorageDenied(f"{text!r} names no bucket: give s3://BUCKET/PREFIX")
    return _s3_store(bucket, s3), prefix


def open_place(settings: Settings, place: str) -> tuple[ObjectStore, str]:
    """Open the place whose recordings are scanned, as `open_store` does, with this process's settings.

    Raises:
        StorageDenied: as `open_store`; or our own database would be taken for a recording, and erased with old ones.
    """
    store, prefix = open_store(place, s3=S3Access.of(settings), max_read_bytes=settings.max_bytes)
    if isinstance(store, LocalStore) and not prefix:
        for own in settings.own_places:
            if own.is_relative_to(store.bucket) and not _is_hidden(own.relative_to(store.bucket)):
                raise StorageDenied(
                    f"{str(own)!r} is ours and lies in {place!r}, whose every file is taken for a recording: name a "
                    "place elsewhere, or one that begins with a dot, with TONALOG_HOME or TONALOG_DATABASE_URL"
                )
    return store, prefix


def _is_hidden(below: Path) -> bool:
    return any(part.startswith(".") for part in below.parts)


def open_inventory(settings: Settings, place: str, store: ObjectStore) -> ObjectStore:
    """Put the list of an S3 Inventory in the place of a bucket's listing.

    Args:
        settings: this process's settings.
        place: the inventory's manifest, s3://BUCKET/.../manifest.json.
        store: the bucket whose recordings are scanned.

    Raises:
        InventoryError: the inventory cannot be used, or is of another bucket.
        StorageDenied: `place` or `store` is not on S3, or the manifest cannot be read.
    """
    from storage.inventory import InventoriedStore, read_inventory  # noqa: PLC0415 - few scans need it

    inventories, key = open_store(place, s3=S3Access.of(settings))
    if store.name != "s3" or inventories.name != "s3" or not key.endswith("manifest.json"):
        raise StorageDenied(
            f"an inventory is for recordings on S3, and {place!r} has to be s3://BUCKET/.../manifest.json of one"
        )
    return InventoriedStore(store, read_inventory(inventories, key))


def open_bucket(settings: Settings, name: str, bucket: str) -> ObjectStore:
    """Open the store that a recording was registered with.

    Args:
        settings: this process's settings.
        name: the kind of store, `s3` or `local`.
        bucket: its bucket, or the root folder.

    Raises:
        StorageDenied: another kind of store.
    """
    if name == "s3":
        return _s3_store(bucket, S3Access.of(settings))
    if name == "local":
        return LocalStore(Path(bucket), max_read_bytes=settings.max_bytes, is_registered=True)
    raise StorageDenied(f"a store of kind {name!r} cannot be opened: only 's3' and 'local' can")


def _path_of(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise StorageDenied(f"{url!r} names the machine {parts.netloc!r}: give file:///FOLDER, or the folder itself")
    if parts.query or parts.fragment:
        raise StorageDenied(f"{url!r} holds a '?' or '#': write %3F or %23, or give the folder itself")
    return Path(url2pathname(parts.path))


def _expand(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:  # there is no such user
        raise StorageDenied(f"{str(path)!r} begins with the home of an unknown user: {_GIVE}") from error


def _open_path(path: Path, max_read_bytes: int) -> tuple[ObjectStore, str]:
    try:
        if path.is_dir():
            return LocalStore(path, max_read_bytes=max_read_bytes), ""
        if path.is_file():
            whole = path.resolve()
            return LocalStore(whole.parent, only=whole.name, max_read_bytes=max_read_bytes), whole.name
    except OSError as error:
        raise StorageDenied(f"{str(path)!r} cannot be opened ({error.strerror}): {_GIVE}") from error
    raise StorageDenied(f"there is no folder or file {str(path)!r}: {_GIVE}")


def _s3_store(bucket: str, access: S3Access) -> ObjectStore:
    from storage.s3 import S3Store  # noqa: PLC0415 - boto3 takes 0.15 s to import; a folder needs none of it

    return S3Store(bucket, **asdict(access))
