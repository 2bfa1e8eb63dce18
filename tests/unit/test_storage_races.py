"""What changes between a look at a local store and its use: nothing outside is read, overwritten or removed."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from config.settings import Settings
from storage.errors import StorageError
from storage.local import LocalStore
from storage.open import open_bucket
from storage.protocol import StorageDenied

SECRET = b"secret of somebody else"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "ana").mkdir(parents=True)
    (folder / "ana" / "a.wav").write_bytes(SECRET)
    return folder


@contextmanager
def swapping(*states: Callable[[], None]) -> Iterator[None]:
    """Bring a place from one state to the next, again and again, from a thread beside."""
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for state in states:
                with suppress(OSError):
                    state()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_folder_that_turns_into_a_link_and_back_never_gives_what_lies_outside(root: Path, outside: Path) -> None:
    (root / "folder").mkdir()
    (root / "folder" / "a.wav").write_bytes(b"sound")
    (root / "folder").rename(root / "ana")
    store = LocalStore(root)
    sound = store.head("ana/a.wav")
    seen: set[bytes | str] = set()
    (root / "link").symlink_to(outside / "ana")

    def to_link() -> None:
        (root / "ana").rename(root / "folder")
        (root / "link").rename(root / "ana")

    def to_folder() -> None:
        (root / "ana").rename(root / "link")
        (root / "folder").rename(root / "ana")

    with swapping(to_link, to_folder):
        for _ in range(300):
            with suppress(StorageError):
                seen.add(store.head("ana/a.wav").version_tag)
            with suppress(StorageError):
                seen.add(store.read_range("ana/a.wav", start=0, n_bytes=100, version_tag=""))
            with suppress(StorageError), store.open("ana/a.wav", version_tag=sound.version_tag, size_bytes=5) as opened:
                seen.add(opened.file.read())
            seen |= {item.version_tag for page in store.list_objects("ana/") for item in page}
    with swapping(to_link, to_folder):
        for _ in range(300):  # after the reads: `put` makes the folder again where it is away
            with suppress(StorageError):
                store.put("ana/b.wav", b"mine")
            with suppress(StorageError):
                store.delete("ana/b.wav")

    assert seen == {b"sound", sound.version_tag}
    assert [path.name for path in (outside / "ana").iterdir()] == ["a.wav"]
    assert (outside / "ana" / "a.wav").read_bytes() == SECRET


def test_a_file_that_turns_into_a_link_or_a_pipe_is_neither_followed_nor_waited_for(root: Path, outside: Path) -> None:
    store = LocalStore(root)
    sound = store.put("a.wav", b"sound")
    (root / "link").symlink_to(outside / "ana" / "a.wav")
    os.mkfifo(root / "pipe")
    os.link(root / "a.wav", root / "file")
    seen: set[bytes | str] = set()

    def take(name: str) -> Callable[[], None]:
        def state() -> None:
            copy = root / ".copy"
            copy.unlink(missing_ok=True)
            os.link(root / name, copy, follow_symlinks=False)
            copy.replace(root / "a.wav")

        return state

    with swapping(take("link"), take("pipe"), take("file")):
        for _ in range(300):
            with suppress(StorageError):
                seen.add(store.head("a.wav").version_tag)
            with suppress(StorageError):
                seen.add(store.read_range("a.wav", start=0, n_bytes=100, version_tag=""))
            with suppress(StorageError), store.open("a.wav", version_tag=sound.version_tag, size_bytes=5) as opened:
                seen.add(opened.file.read())
            seen |= {item.version_tag for page in store.list_objects("a") for item in page}

    assert seen == {b"sound", sound.version_tag}


def test_writing_overwrites_nothing_that_somebody_laid_under_its_temporary_name(root: Path, outside: Path) -> None:
    # The name was made of the process and the thread, which others on the machine can guess.
    victim = outside / "ana" / "a.wav"
    for name in (f".{os.getpid()}-{threading.get_ident()}.part", ".part"):
        os.link(victim, root / name)

    LocalStore(root).put("a.wav", b"sound")

    assert victim.read_bytes() == SECRET
    assert (root / "a.wav").read_bytes() == b"sound"


def test_a_link_in_place_of_a_registered_folder_leads_no_erasure_elsewhere(root: Path, outside: Path) -> None:
    LocalStore(root).put("ana/a.wav", b"sound")
    registered = LocalStore(root).bucket
    root.rename(root.with_name("moved"))
    root.symlink_to(outside)
    store = open_bucket(Settings(), "local", registered)

    for remove in (store.delete, store.erase):
        with pytest.raises(StorageDenied, match=r"leads to .*outside"):
            remove("ana/a.wav")

    assert (outside / "ana" / "a.wav").read_bytes() == SECRET


def test_a_registered_folder_that_was_moved_behind_a_link_can_still_be_read(root: Path) -> None:
    stored = LocalStore(root).put("ana/a.wav", b"sound")
    registered = LocalStore(root).bucket
    root.rename(root.with_name("moved"))
    root.symlink_to(root.with_name("moved"))

    store = open_bucket(Settings(), "local", registered)

    with store.open("ana/a.wav", version_tag=stored.version_tag, size_bytes=5) as opened:
        assert opened.file.read() == b"sound"


def test_removing_a_link_leaves_what_it_leads_to(root: Path, outside: Path) -> None:
    (root / "a.wav").symlink_to(outside / "ana" / "a.wav")
    (root / "b.wav").symlink_to(outside / "ana")

    for key in ("a.wav", "b.wav"):
        LocalStore(root).erase(key)

    assert list(root.iterdir()) == []
    assert (outside / "ana" / "a.wav").read_bytes() == SECRET
