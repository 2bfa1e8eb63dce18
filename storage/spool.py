"""Copy a stream into an unnamed temporary file while counting and hashing it; never leaves a file behind."""

from collections.abc import Iterable
from contextlib import ExitStack
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from storage.errors import ObjectChanged, ObjectTruncated, StorageUnavailable

MEMORY_LIMIT_BYTES = 4 * 1024 * 1024  # 35 minutes of Opus at 16 kbit/s; larger objects go to disk
BLOCK_BYTES = 256 * 1024


def spool(blocks: Iterable[bytes], *, limit_bytes: int) -> tuple[BinaryIO, str, int]:
    """Copy blocks into a temporary file that vanishes when it is closed.

    Args:
        blocks: the content, in order.
        limit_bytes: how many bytes there must be; reading stops at the first block that goes beyond.

    Returns:
        The file at its start, the hexadecimal sha256 of its content, and its length in bytes.

    Raises:
        ObjectTruncated: there are fewer bytes.
        ObjectChanged: there are more bytes.
        StorageUnavailable: the temporary folder cannot take them.
    """
    digest = sha256()
    n_bytes = 0
    with ExitStack() as on_error:
        file = on_error.enter_context(SpooledTemporaryFile(max_size=MEMORY_LIMIT_BYTES))
        for block in blocks:
            n_bytes += len(block)
            if n_bytes > limit_bytes:
                raise ObjectChanged(f"the object holds more than its registered {limit_bytes} bytes")
            digest.update(block)
            _write(file, block)
        if n_bytes < limit_bytes:
            raise ObjectTruncated(f"the object holds {n_bytes} of its registered {limit_bytes} bytes")
        file.seek(0)
        on_error.pop_all()
    return cast("BinaryIO", file), digest.hexdigest(), n_bytes


def _write(file: "SpooledTemporaryFile[bytes]", block: bytes) -> None:
    try:
        file.write(block)
    except OSError as error:
        raise StorageUnavailable(
            f"no room for a copy in the temporary folder ({error.strerror}): free space there or set TMPDIR"
        ) from error
