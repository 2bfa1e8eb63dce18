"""Copying a stream: counted, hashed, and nothing left behind."""

import tempfile
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from storage import spool as module
from storage.protocol import ObjectChanged, ObjectTruncated, StorageUnavailable
from storage.spool import spool


def test_copy_is_complete_hashed_and_at_its_start() -> None:
    file, digest, n_bytes = spool([b"one ", b"", b"two"], limit_bytes=7)

    with file:
        assert file.read() == b"one two"
    assert digest == sha256(b"one two").hexdigest()
    assert n_bytes == 7


def test_too_few_bytes_are_a_truncated_object() -> None:
    with pytest.raises(ObjectTruncated, match="3 of its registered 4 bytes"):
        spool([b"one"], limit_bytes=4)


def test_reading_stops_at_the_first_block_beyond_the_limit() -> None:
    def endless() -> Iterator[bytes]:
        for number in range(100):
            assert number < 3, "went on reading"
            yield b"12"

    with pytest.raises(ObjectChanged, match="more than its registered 4 bytes"):
        spool(endless(), limit_bytes=4)


def test_large_content_leaves_memory_flat_and_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "MEMORY_LIMIT_BYTES", 1_000_000)

    tracemalloc.start()
    file, _, n_bytes = spool((bytes(250_000) for _ in range(64)), limit_bytes=16_000_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    with file:
        assert list(tmp_path.iterdir()) == []
    assert n_bytes == 16_000_000
    assert peak_bytes < 4_000_000


def test_full_temporary_folder_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr(module, "MEMORY_LIMIT_BYTES", 1)

    with pytest.raises(StorageUnavailable, match="free space there or set TMPDIR"):
        spool([b"x" * 8], limit_bytes=8)
