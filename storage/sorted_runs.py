"""Sort more objects than memory holds by their keys, as a listing has them: runs on disk, merged."""

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from typing import IO

from storage.objects import StoredObject

RUN_OBJECTS = 100_000  # some 50 MB
MAX_RUNS = 64  # open files, and lines in memory, of one merge


def sort_objects(objects: Iterable[StoredObject], *, n_run: int = RUN_OBJECTS) -> Iterator[StoredObject]:
    """Give objects without metadata in UTF-8 order of their keys, the newest last where a key comes twice.

    Args:
        objects: in any order; their metadata is lost.
        n_run: how many are held in memory at once.

    Raises:
        OSError: the folder of temporary files is full or cannot be written.
    """
    source = iter(objects)
    with ExitStack() as stack:
        runs: list[IO[str]] = []
        while run := sorted(islice(source, n_run), key=_order):
            if not runs and len(run) < n_run:  # all of them
                yield from run
                return
            runs.append(_write(run, stack))
            if len(runs) == MAX_RUNS:
                merged = _write(heapq.merge(*map(_read, runs), key=_order), stack)
                for file in runs:
                    file.close()
                runs = [merged]
        yield from heapq.merge(*map(_read, runs), key=_order)


def _order(item: StoredObject) -> tuple[bytes, datetime]:
    return item.key.encode(), item.uploaded_at


def _write(run: Iterable[StoredObject], stack: ExitStack) -> IO[str]:
    file = tempfile.TemporaryFile("w+", encoding="utf-8", prefix="tonalog-inventory-")  # noqa: SIM115 - open until merged
    stack.callback(file.close)
    for item in run:
        fields = (item.key, item.version_tag, item.size_bytes, item.uploaded_at.isoformat())
        file.write(json.dumps(fields) + "\n")
    file.seek(0)
    return file


def _read(file: IO[str]) -> Iterator[StoredObject]:
    for line in file:
        key, tag, size_bytes, uploaded_at = json.loads(line)
        yield StoredObject(key, tag, size_bytes, datetime.fromisoformat(uploaded_at).astimezone(UTC), None)
