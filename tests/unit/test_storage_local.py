"""A folder as a store: what a folder can do to us, and what it must not."""

import errno
import os
from pathlib import Path

import pytest

from storage.local import LocalStore
from storage.objects import StoredObject
from storage.protocol import ObjectChanged, ObjectMissing, StorageDenied, StorageUnavailable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


def list_keys(store: LocalStore) -> list[str]:
    return [item.key for page in store.list_objects() for item in page]


def open_it(store: LocalStore, stored: StoredObject) -> bytes:
    with store.open(stored.key, version_tag=stored.version_tag, size_bytes=stored.size_bytes) as opened:
        return opened.file.read()


@pytest.mark.parametrize(
    "key",
    ["../secret.wav", "a/../../secret.wav", "/etc/passwd", "a//b.wav", "./a.wav", "a\0.wav", "", "x" * 1025],
)
def test_key_that_leaves_the_folder_is_refused(store: LocalStore, root: Path, key: str) -> None:
    (root.parent / "secret.wav").write_bytes(b"secret")

    with pytest.raises(StorageDenied, match="a key must"):
        store.head(key)
    with pytest.raises(StorageDenied, match="a key must"):
        store.open(key, version_tag="x", size_bytes=6)
    with pytest.raises(StorageDenied, match="a key must"):
        store.delete(key)
    with pytest.raises(StorageDenied, match="a key must"):
        store.put(key, b"overwritten")
    assert (root.parent / "secret.wav").read_bytes() == b"secret"


def test_symbolic_links_are_neither_listed_nor_followed(store: LocalStore, root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret.wav").write_bytes(b"secret")
    (root / "link.wav").symlink_to(outside / "secret.wav")
    (root / "folder").symlink_to(outside)
    (root / "real.wav").write_bytes(b"sound")

    assert list_keys(store) == ["real.wav"]
    for key in ("link.wav", "folder/secret.wav"):
        with pytest.raises(ObjectMissing):
            store.head(key)
    with pytest.raises(ObjectMissing):
        store.put("folder/new.wav", b"sound")
    assert [path.name for path in outside.iterdir()] == ["secret.wav"]


def test_root_may_itself_be_a_link(root: Path) -> None:
    (root / "a.wav").write_bytes(b"sound")
    (root.parent / "link").symlink_to(root)

    store = LocalStore(root.parent / "link")

    assert list_keys(store) == ["a.wav"]
    assert store.bucket == str(root)


def test_pipes_do_not_hang_and_are_no_objects(store: LocalStore, root: Path) -> None:
    os.mkfifo(root / "pipe.wav")

    assert list_keys(store) == []
    with pytest.raises(ObjectMissing):
        store.open("pipe.wav", version_tag="x", size_bytes=1)


def test_what_is_left_out_is_counted_in_one_warning(
    store: LocalStore, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "link.wav").symlink_to(root / "nowhere")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe.wav")).write_bytes(b"sound")
    (root / "a.wav").write_bytes(b"sound")

    assert list_keys(store) == ["a.wav"]

    [record] = caplog.records
    assert record.message == "files left out of the listing"
    assert vars(record)["n_not_regular"] == 2


def test_file_rewritten_with_same_size_and_time_is_noticed(store: LocalStore, root: Path) -> None:
    path = root / "a.wav"
    stored = store.put("a.wav", b"first")
    before = path.stat()
    path.write_bytes(b"other")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(ObjectChanged, match="sha256 differs"):
        open_it(store, stored)


def test_file_cut_short_is_another_version(store: LocalStore, root: Path) -> None:
    stored = store.put("a.wav", b"first")
    (root / "a.wav").write_bytes(b"fir")

    with pytest.raises(ObjectChanged, match="size differs"):
        open_it(store, stored)


def test_opened_copy_does_not_change_with_the_file(store: LocalStore, root: Path) -> None:
    stored = store.put("a.wav", b"first")

    with store.open("a.wav", version_tag=stored.version_tag, size_bytes=5) as opened:
        (root / "a.wav").write_bytes(b"other")
        assert opened.file.read() == b"first"


def test_folder_that_is_away_may_come_back(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "unmounted")

    for call in (store.verify, lambda: list_keys(store), lambda: store.head("a.wav")):
        with pytest.raises(StorageUnavailable, match="make or mount it"):
            call()


def test_unreadable_file_is_left_out_and_denied(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store.put("a.wav", b"sound")
    store.put("b.wav", b"sound")
    real_open = os.open

    def open_without_permission(path: str, *args: int, **options: int) -> int:
        if path == "a.wav":  # root may read everything, so a mode of 0 would show nothing there
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_open(path, *args, **options)

    monkeypatch.setattr(os, "open", open_without_permission)

    assert list_keys(store) == ["b.wav"]
    assert vars(caplog.records[0])["n_unreadable"] == 1
    with pytest.raises(StorageDenied, match="permission"):
        store.head("a.wav")


def test_file_that_vanishes_while_listing_is_skipped(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a.wav", b"sound")
    store.put("b.wav", b"sound")
    real_open = os.open

    def open_after_removal(path: str, *args: int, **options: int) -> int:
        if path == "a.wav":
            (root / "a.wav").unlink()
        return real_open(path, *args, **options)

    monkeypatch.setattr(os, "open", open_after_removal)
    assert list_keys(store) == ["b.wav"]


def test_put_leaves_no_temporary_file(store: LocalStore, root: Path) -> None:
    store.put("deep/er/a.wav", b"sound")
    store.put("deep/er/a.wav", b"other")

    assert [path.name for path in root.rglob("*")] == ["deep", "er", "a.wav"]


def test_single_file_is_a_store_of_one(root: Path) -> None:
    for name in ("a.wav", "a.wav.bak"):
        (root / name).write_bytes(b"sound")

    assert list_keys(LocalStore(root, only="a.wav")) == ["a.wav"]


def test_erasing_removes_the_folders_that_it_leaves_empty(store: LocalStore, root: Path) -> None:
    for key in ("anna/march/1.wav", "anna/april/1.wav", "ben.wav"):
        store.put(key, b"sound")

    store.erase("anna/march/1.wav")
    assert sorted(path.name for path in root.rglob("*") if path.is_dir()) == ["anna", "april"]
    store.erase("anna/april/1.wav")
    store.erase("ben.wav")

    assert list(root.iterdir()) == []


def test_a_folder_that_is_away_is_not_taken_for_an_object_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="make or mount it"):
        LocalStore(tmp_path / "unmounted").erase("anna/1.wav")
