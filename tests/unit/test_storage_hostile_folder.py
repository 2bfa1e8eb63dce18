"""A folder in which others may write: nothing in it is read beyond the limit, holds up the others or leads elsewhere."""

import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path
from shlex import quote

import pytest

from storage import local, objects, walk
from storage.local import LocalStore
from storage.objects import StoredObject
from storage.protocol import ObjectChanged, StorageUnavailable

LIMIT_BYTES = 1_000


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "notes"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-rf", str(folder)], check=True)  # pytest's own removal gives up on deep folders


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root, max_read_bytes=LIMIT_BYTES)


def list_all(store: LocalStore, prefix: str = "") -> list[StoredObject]:
    return [item for page in store.list_objects(prefix) for item in page]


def test_a_sparse_file_of_200_gb_is_listed_at_once_beside_the_others(root: Path) -> None:
    (root / "a.wav").write_bytes(b"sound")
    with (root / "b.wav").open("wb") as file:
        file.truncate(200 * 2**30)
    (root / "c.wav").write_bytes(b"sound")
    started_s = time.process_time()

    found = list_all(LocalStore(root))

    assert time.process_time() - started_s < 2.0
    assert [(item.key, item.size_bytes) for item in found] == [("a.wav", 5), ("b.wav", 200 * 2**30), ("c.wav", 5)]
    assert [objects.is_unread(item.version_tag) for item in found] == [False, True, False]


def test_many_sparse_files_within_the_limit_are_not_read_either_and_can_still_be_scored(root: Path) -> None:
    for number in range(300):  # of 90 MiB each, and no disk
        with (root / f"{number:03}.wav").open("wb") as file:
            file.write(b"sound")
            file.truncate(90 * 2**20)
    store = LocalStore(root)
    started_s = time.process_time()

    found = list_all(store)

    assert time.process_time() - started_s < 5.0
    assert all(objects.is_unread(item.version_tag) for item in found)
    with store.open("000.wav", version_tag=found[0].version_tag, size_bytes=90 * 2**20) as opened:
        assert opened.file.read(6) == b"sound\0"
    os.utime(root / "000.wav", (0, 0))
    with pytest.raises(ObjectChanged, match="its time differs"):
        store.open("000.wav", version_tag=found[0].version_tag, size_bytes=90 * 2**20)


def test_a_file_with_a_few_holes_or_blocks_that_nobody_counts_is_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(3 * 2**20)
    (root / "whole.wav").write_bytes(content)
    with (root / "holes.wav").open("wb") as file:
        file.write(content)
        file.truncate(4 * 2**20)
    with (root / "small.wav").open("wb") as file:
        file.truncate(2**19)

    assert [objects.is_unread(item.version_tag) for item in list_all(LocalStore(root))] == [False] * 3

    # sshfs says 0 blocks of every file, and knows no holes.
    monkeypatch.setattr(local, "_n_stored_bytes", lambda _: 0)
    assert not objects.is_unread(LocalStore(root).head("whole.wav").version_tag)


def test_a_file_that_is_too_large_is_another_version_once_it_grows_shrinks_or_is_replaced(
    store: LocalStore, root: Path
) -> None:
    path = root / "a.wav"
    tags = []
    for n_bytes, mtime_ns in ((2_000, 10**18), (2_000, 10**18), (3_000, 10**18), (2_000, 10**18 + 1), (1_000, 10**18)):
        path.write_bytes(bytes(n_bytes))
        os.utime(path, ns=(mtime_ns, mtime_ns))
        tags.append(store.head("a.wav").version_tag)

    assert tags[0] == tags[1]
    assert len(set(tags)) == 4
    assert [objects.is_unread(tag) for tag in tags] == [True, True, True, True, False]


def test_a_file_that_was_too_large_when_it_was_listed_can_be_read_as_that_version_only(
    store: LocalStore, root: Path
) -> None:
    path = root / "a.wav"
    path.write_bytes(b"x" * 2_000)
    os.utime(path, ns=(10**18, 10**18))
    listed = store.head("a.wav")

    with store.open("a.wav", version_tag=listed.version_tag, size_bytes=2_000) as opened:
        assert opened.file.read() == b"x" * 2_000
    os.utime(path)
    with pytest.raises(ObjectChanged, match="after it was registered"):
        store.open("a.wav", version_tag=listed.version_tag, size_bytes=2_000)


def test_a_file_that_grows_while_it_is_read_is_left_to_the_next_scan(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        (root / name).write_bytes(b"sound")
    monkeypatch.setattr(local, "BLOCK_BYTES", 1)
    read_blocks = local._read_blocks
    n_read = 0

    def read_while_it_grows(file):  # type: ignore[no-untyped-def]
        nonlocal n_read
        for block in read_blocks(file):
            if os.path.samestat(os.fstat(file.fileno()), (root / "b.wav").stat()):
                with (root / "b.wav").open("ab") as more:
                    more.write(b"more")
                n_read += 1
            yield block

    monkeypatch.setattr(local, "_read_blocks", read_while_it_grows)
    store = LocalStore(root)

    assert [item.key for item in list_all(store)] == ["a.wav", "c.wav"]
    assert n_read <= len(b"sound") + 1
    assert vars(caplog.records[-1])["n_being_written"] == 1
    with pytest.raises(ObjectChanged, match="is being written"):
        store.head("b.wav")


def test_a_file_rewritten_while_it_is_read_never_gets_a_tag_of_mixed_content(root: Path) -> None:
    path = root / "a.wav"
    contents = [bytes([value]) * 3_000_000 for value in range(2)]
    path.write_bytes(contents[0])
    tags = set()
    for content in contents:
        path.write_bytes(content)
        tags.add(LocalStore(root).head("a.wav").version_tag)
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for content in contents:
                path.write_bytes(content)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        found = []
        for _ in range(50):
            found += [item.version_tag for item in list_all(LocalStore(root)) if item.size_bytes == 3_000_000]
    finally:
        stop.set()
        writer.join()

    assert set(found) <= tags


def test_large_files_end_a_page_early_so_that_the_ones_before_them_need_not_wait(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PAGE_BYTES", 1_000)
    for name, n_bytes in (("a", 10), ("b", 600), ("c", 600), ("d", 5_000), ("e", 10)):
        (root / f"{name}.wav").write_bytes(bytes(n_bytes))

    pages = list(LocalStore(root, max_read_bytes=4_000).list_objects())

    # What is not read (d) counts for nothing.
    assert [[item.key for item in page] for page in pages] == [["a.wav", "b.wav", "c.wav"], ["d.wav", "e.wav"]]


@pytest.mark.parametrize("time_s", [-(2**33), 2**33, -(2**55), 2**55])
def test_a_time_that_no_calendar_has_stops_no_listing(time_s: int) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:  # ext4 ends with the year 2446
        (Path(folder) / "a.wav").write_bytes(b"sound")
        os.utime(Path(folder) / "a.wav", (time_s, time_s))

        [item] = list_all(LocalStore(Path(folder)))

        assert item.uploaded_at.astimezone(timezone(timedelta(hours=14))).tzinfo
        assert item.uploaded_at.astimezone(timezone(-timedelta(hours=14))).tzinfo


def nest(root: Path, name: str, n_levels: int) -> None:
    """Make folders within each other, as deep as no path could name them."""
    folder = os.open(root, os.O_RDONLY)
    for _ in range(n_levels):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    file = os.open("z.wav", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.write(file, b"sound")
    os.close(file)
    os.close(folder)


@pytest.mark.parametrize("name", ["d", "d" * 255])
def test_folders_deeper_than_any_recording_are_left_out_and_counted(
    store: LocalStore, root: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    nest(root, name, 3_000)
    (root / "e.wav").write_bytes(b"sound")
    started_s = time.process_time()

    assert [item.key for item in list_all(store)] == ["e.wav"]

    assert time.process_time() - started_s < 1.0
    [record] = caplog.records
    assert vars(record)["n_too_deep"] == 1


def count_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_listing_opens_each_folder_once_and_keeps_none_open(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_levels, n_files = 40, 20
    folder = root
    for level in range(n_levels):
        folder = folder / f"{level:02}"
    folder.mkdir(parents=True)
    for number in range(n_files):
        (folder / f"{number}.wav").write_bytes(b"sound")
    n_before = count_open_files()
    n_opened = 0
    real_open = os.open

    def count(*arguments, **options):  # type: ignore[no-untyped-def]
        nonlocal n_opened
        n_opened += 1
        return real_open(*arguments, **options)

    monkeypatch.setattr(os, "open", count)
    assert len(list_all(store)) == n_files
    assert n_opened == 1 + n_levels + n_files

    listing = store.list_objects()
    next(listing)
    listing.close()  # type: ignore[attr-defined]
    assert count_open_files() == n_before


@pytest.mark.parametrize("name", ["b", "b.wav"])
def test_a_disk_that_fails_for_one_file_or_folder_keeps_none_of_the_others_away(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    (root / "b").mkdir()
    for key in ("a.wav", "b/1.wav", "b.wav", "c.wav"):
        (root / key).write_bytes(b"sound")
    real_open = os.open

    def open_unless_bad(path: str, *args: int, **options: int) -> int:
        if path == name:
            raise OSError(errno.EIO, "Input/output error")
        return real_open(path, *args, **options)

    monkeypatch.setattr(os, "open", open_unless_bad)

    keys = [item.key for item in list_all(store)]

    assert keys == [
        key for key in ("a.wav", "b.wav", "b/1.wav", "c.wav") if not key.startswith(f"{name}/") and key != name
    ]
    assert vars(caplog.records[-1])["n_failing"] == 1


def test_a_disk_that_fails_for_everything_ends_the_listing(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        (root / f"{number}.wav").write_bytes(b"sound")
    real_open, n_tried = os.open, 0

    def open_folders_alone(path: str, *args: int, **options: int) -> int:
        nonlocal n_tried
        if str(path).endswith(".wav"):
            n_tried += 1
            raise OSError(errno.EIO, "Input/output error")
        return real_open(path, *args, **options)

    monkeypatch.setattr(os, "open", open_folders_alone)

    with pytest.raises(StorageUnavailable, match="Input/output error"):
        list_all(store)
    assert n_tried <= 21


def test_a_key_too_long_to_be_one_is_left_out_and_counted(
    store: LocalStore, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = root.joinpath(*["f" * 250] * 4)
    folder.mkdir(parents=True)
    for n in (1_024 - 1_004, 1_024 - 1_003):
        (folder / ("k" * n)).write_bytes(b"sound")

    assert [len(item.key) for item in list_all(store)] == [1_024]
    assert vars(caplog.records[-1])["n_too_long"] == 1


def test_a_folder_within_itself_is_known_by_more_than_its_name(root: Path) -> None:
    (root / "a").mkdir()
    (root / "a" / "a.wav").write_bytes(b"sound")
    ancestors = [root.stat(), (root / "a").stat()]

    assert walk.is_within_itself((root / "a").stat(), ancestors)
    assert not walk.is_within_itself((root / "a" / "a.wav").stat(), ancestors)


def test_a_folder_that_is_mounted_within_itself_is_listed_once(tmp_path: Path) -> None:
    """A bind mount of a folder on one that lies in it; made in a mount namespace that goes with its process."""
    inner = tmp_path / "notes" / "a" / "notes"
    inner.mkdir(parents=True)
    (tmp_path / "notes" / "a.wav").write_bytes(b"sound")
    script = (
        f"mount --bind {quote(str(tmp_path / 'notes'))} {quote(str(inner))} && exec {quote(sys.executable)} -c "
        + quote(
            "import sys; from pathlib import Path; from storage.local import LocalStore; "
            "print([item.key for page in LocalStore(Path(sys.argv[1])).list_objects() for item in page])"
        )
    )
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no mount namespaces here: {error}")

    done = subprocess.run(
        [*unshare, "sh", "-c", f'{script} "$1"', "sh", str(tmp_path / "notes")],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout == "['a.wav']\n"
    assert "files left out" in done.stderr
