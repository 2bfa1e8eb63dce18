"""What crosses the door of this room: a described object, an opened one, and pages of them; never contacts a store."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import BinaryIO, Self

PAGE_SIZE = 1_000  # what S3 gives at most (ListObjectsV2, MaxKeys)


@dataclass(frozen=True)
class StoredObject:
    """One version of one object, as the store describes it.

    Attributes:
        key: name inside the bucket, parts separated by `/`.
        version_tag: changes whenever the content does; opaque.
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


def pages(objects: Iterable[StoredObject]) -> Iterator[list[StoredObject]]:
    """Group objects into pages of PAGE_SIZE, the last one shorter, never an empty one."""
    page: list[StoredObject] = []
    for item in objects:
        page.append(item)
        if len(page) == PAGE_SIZE:
            yield page
            page = []
    if page:
        yield page
