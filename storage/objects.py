"""What crosses the door of this room: a described object, an opened one, and pages of them; never contacts a store."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Self

PAGE_SIZE = 1_000  # what S3 gives at most (ListObjectsV2, MaxKeys)
MAX_KEY_BYTES = 1_024  # S3's limit, "Object key naming guidelines", and ours for folders
_UNREAD = "unread:"  # an ETag and a hexadecimal digest hold no colon


@dataclass(frozen=True)
class StoredObject:
    """One version of one object, as the store describes it.

    Attributes:
        key: name inside the bucket, parts separated by `/`.
        version_tag: changes whenever the content does; opaque. Where `is_unread`, whenever size or time do.
        size_bytes: length of the content.
        uploaded_at: when the store got it, UTC. Not when it was recorded.
        metadata: the user's metadata; None when nobody looked (S3 listings do not tell).
    """

    key: str
    version_tag: str
    size_bytes: int
    uploaded_at: datetime
    metadata: Mapping[str, str] | None


@dataclass(frozen=True)
class OpenedObject:
    """A complete copy of one object version, counted and hashed; a context manager that closes the copy.

    Attributes:
        file: the content, readable and seekable, at its start.
        sha256: hexadecimal digest of the content.
        size_bytes: length of the content.
    """

    file: BinaryIO
    sha256: str
    size_bytes: int

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()


def is_listed(key: str, prefix: str = "") -> bool:
    """Whether a key may be a recording: no folder marker, and no part below `prefix` starts with a dot.

    Examples:
        >>> [is_listed(key) for key in ("anna/a.wav", "anna/.DS_Store", ".trash/a.wav", "anna/")]
        [True, False, False, False]
        >>> is_listed(".voice/anna/a.wav", prefix=".voice/")
        True
    """
    below = key[prefix.rfind("/") + 1 :]
    return not key.endswith("/") and not any(part.startswith(".") for part in below.split("/"))


def unread_tag(*facts: int) -> str:
    """Make the version tag of an object whose content nobody read, of what is known without it.

    >>> unread_tag(200 * 2**30, 1772439300000000000)
    'unread:214748364800:1772439300000000000'
    """
    return _UNREAD + ":".join(map(str, facts))


def is_unread(version_tag: str) -> bool:
    """Whether a version tag was made without reading the object's content.

    >>> is_unread("unread:1001:0"), is_unread("9f86d081884c7d65")
    (True, False)
    """
    return version_tag.startswith(_UNREAD)


def pages(objects: Iterable[StoredObject], *, max_bytes: int | None = None) -> Iterator[list[StoredObject]]:
    """Group objects into pages of PAGE_SIZE, the last one shorter, never an empty one.

    Args:
        objects: in order.
        max_bytes: a page also ends with the object that brings what was read for it to so much; None: it does not.
    """
    page: list[StoredObject] = []
    n_read_bytes = 0
    for item in objects:
        page.append(item)
        n_read_bytes += 0 if is_unread(item.version_tag) else item.size_bytes
        if len(page) == PAGE_SIZE or (max_bytes is not None and n_read_bytes >= max_bytes):
            yield page
            page, n_read_bytes = [], 0
    if page:
        yield page
