"""The promises of storage.protocol.ObjectStore as tests that every store inherits."""

from collections.abc import Mapping
from datetime import UTC
from hashlib import sha256
from typing import Protocol

import pytest

from storage import objects
from storage.protocol import ObjectChanged, ObjectMissing, ObjectStore, StoredObject
from storage.spool import MEMORY_LIMIT_BYTES

KEYS = [
    "anna/2026-03-01T08-30-00Z.wav",
    "anna maria/a + b & c.wav",
    "anna%20maria/100%.wav",
    "zoë/übung «» ñandú 🎤.wav",
    "line\nbreak/a\tb.wav",
    "quote'\"<x>.wav",
    "deep/er/and/deeper/x.wav",
]


class WritableStore(ObjectStore, Protocol):
    """A store that a test can fill."""

    def put(self, key: str, content: bytes, *, metadata: Mapping[str, str] | None = None) -> StoredObject: ...


def list_keys(store: ObjectStore, prefix: str = "", *, start_after: str | None = None) -> list[str]:
    return [item.key for page in store.list_objects(prefix, start_after=start_after) for item in page]


class StoreContract:
    """Subclasses give a fixture `store` that is empty."""

    has_metadata = True
    sorts_by_bytes = True
    tells_versions_of_parts = True

    def test_empty_store_has_no_pages(self, store: WritableStore) -> None:
        assert list(store.list_objects()) == []

    @pytest.mark.parametrize("key", KEYS)
    def test_any_key_is_listed_described_and_read(self, store: WritableStore, key: str) -> None:
        store.put(key, b"sound")

        [[listed]] = store.list_objects()
        described = store.head(key)
        with store.open(key, version_tag=listed.version_tag, size_bytes=listed.size_bytes) as opened:
            content = opened.file.read()

        assert listed.key == described.key == key
        assert listed.version_tag == described.version_tag
        assert listed.size_bytes == described.size_bytes == opened.size_bytes == 5
        assert listed.uploaded_at.tzinfo is UTC
        assert described.metadata == {}
        assert content == b"sound"
        assert opened.sha256 == sha256(b"sound").hexdigest()
        assert opened.file.closed

    def test_metadata_comes_back_with_head(self, store: WritableStore) -> None:
        if not self.has_metadata:
            with pytest.raises(ValueError, match="keeps no metadata"):
                store.put("a.wav", b"sound", metadata={"subject-id": "anna"})
            return
        store.put("a.wav", b"sound", metadata={"subject-id": "anna", "recorded-at": "2026-03-01"})

        assert store.head("a.wav").metadata == {"subject-id": "anna", "recorded-at": "2026-03-01"}

    def test_listing_is_complete_and_in_byte_order_across_folders(self, store: WritableStore) -> None:
        keys = ["a/b.wav", "a-b.wav", "a.wav", "a/b/c.wav", "B.wav", "é.wav", "z/1.wav", "a/b-c.wav", "a0.wav"]
        for key in keys:
            store.put(key, b"sound")

        found = list_keys(store)

        assert sorted(found) == sorted(keys)
        if self.sorts_by_bytes:
            assert found == sorted(keys, key=str.encode)

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("anna", ["anna/1.wav", "anna/2.wav", "annabel/3.wav"]),
            ("anna/", ["anna/1.wav", "anna/2.wav"]),
            ("anna/2", ["anna/2.wav"]),
            ("nobody", []),
        ],
    )
    def test_prefix_is_plain_text(self, store: WritableStore, prefix: str, expected: list[str]) -> None:
        for key in ("anna/1.wav", "anna/2.wav", "annabel/3.wav", "ben/4.wav"):
            store.put(key, b"sound")

        assert sorted(list_keys(store, prefix)) == expected

    def test_start_after_gives_the_rest(self, store: WritableStore) -> None:
        for key in ("a/1.wav", "a/2.wav", "b/1.wav", "b/2.wav", "c.wav"):
            store.put(key, b"sound")

        assert list_keys(store, start_after="a/2.wav") == ["b/1.wav", "b/2.wav", "c.wav"]
        assert list_keys(store, "b/", start_after="b/1.wav") == ["b/2.wav"]
        assert list_keys(store, start_after="c.wav") == []

    def test_long_listing_comes_in_pages(self, store: WritableStore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects, "PAGE_SIZE", 4)
        keys = [f"{person}/{number}.wav" for person in "abc" for number in range(3)]
        for key in keys:
            store.put(key, b"sound")

        pages = list(store.list_objects())
        assert [len(page) for page in pages] == [4, 4, 1]
        assert [item.key for page in pages for item in page] == keys
        assert list_keys(store, start_after=pages[0][-1].key) == keys[4:]

    def test_hidden_objects_are_not_listed(self, store: WritableStore) -> None:
        for key in ("anna/.DS_Store", ".trash/a.wav", "anna/a.wav"):
            store.put(key, b"sound")

        assert list_keys(store) == ["anna/a.wav"]
        assert list_keys(store, ".trash/") == [".trash/a.wav"]

    def test_missing_object_is_said(self, store: WritableStore) -> None:
        with pytest.raises(ObjectMissing):
            store.head("nobody/a.wav")
        with pytest.raises(ObjectMissing):
            store.open("nobody/a.wav", version_tag="x", size_bytes=1)

    def test_replaced_object_is_said_and_the_new_version_is_readable(self, store: WritableStore) -> None:
        old = store.put("a.wav", b"first")
        new = store.put("a.wav", b"other")

        with pytest.raises(ObjectChanged):
            store.open("a.wav", version_tag=old.version_tag, size_bytes=old.size_bytes)
        with store.open("a.wav", version_tag=new.version_tag, size_bytes=new.size_bytes) as opened:
            assert opened.file.read() == b"other"

    def test_same_content_put_again_is_the_same_version(self, store: WritableStore) -> None:
        assert store.put("a.wav", b"sound").version_tag == store.put("a.wav", b"sound").version_tag

    def test_empty_object_can_be_opened(self, store: WritableStore) -> None:
        stored = store.put("empty.wav", b"")

        with store.open("empty.wav", version_tag=stored.version_tag, size_bytes=0) as opened:
            assert opened.file.read() == b""
            assert opened.size_bytes == 0

    def test_large_object_is_complete_and_seekable(self, store: WritableStore) -> None:
        content = bytes(range(256)) * (MEMORY_LIMIT_BYTES // 256 + 1)
        stored = store.put("large.wav", content)

        with store.open("large.wav", version_tag=stored.version_tag, size_bytes=len(content)) as opened:
            opened.file.seek(-3, 2)
            assert opened.file.read() == content[-3:]
            opened.file.seek(0)
            assert sha256(opened.file.read()).hexdigest() == opened.sha256

    @pytest.mark.parametrize(
        ("start", "n_bytes", "expected"),
        [(0, 4, b"0123"), (3, 3, b"345"), (8, 100, b"89"), (10, 5, b""), (4_000, 5, b""), (0, 10, b"0123456789")],
    )
    def test_a_part_can_be_read_and_ends_with_the_object(
        self, store: WritableStore, start: int, n_bytes: int, expected: bytes
    ) -> None:
        stored = store.put("zo\u00eb/a b.wav", b"0123456789")

        assert store.read_range(stored.key, start=start, n_bytes=n_bytes, version_tag=stored.version_tag) == expected

    def test_part_of_an_empty_and_of_a_missing_object(self, store: WritableStore) -> None:
        stored = store.put("a.wav", b"")

        assert store.read_range("a.wav", start=0, n_bytes=4, version_tag=stored.version_tag) == b""
        with pytest.raises(ObjectMissing):
            store.read_range("b.wav", start=0, n_bytes=4, version_tag="x")

    def test_part_of_a_replaced_object_is_no_part_of_the_old_one(self, store: WritableStore) -> None:
        old = store.put("a.wav", b"first")
        store.put("a.wav", b"other")

        if not self.tells_versions_of_parts:
            assert store.read_range("a.wav", start=0, n_bytes=5, version_tag=old.version_tag) == b"other"
            return
        with pytest.raises(ObjectChanged):
            store.read_range("a.wav", start=0, n_bytes=5, version_tag=old.version_tag)

    def test_delete_removes_and_forgives(self, store: WritableStore) -> None:
        store.put("a.wav", b"sound")

        store.delete("a.wav")
        store.delete("a.wav")

        assert list_keys(store) == []

    def test_erase_removes_one_key_and_forgives(self, store: WritableStore) -> None:
        for key in ("anna/a.wav", "anna/a.wav2", "anna/a.wa", "ben/a.wav"):
            store.put(key, b"first")
        store.put("anna/a.wav", b"second")

        store.erase("anna/a.wav")
        store.erase("anna/a.wav")

        assert sorted(list_keys(store)) == ["anna/a.wa", "anna/a.wav2", "ben/a.wav"]
        with pytest.raises(ObjectMissing):
            store.head("anna/a.wav")

    @pytest.mark.parametrize("key", KEYS)
    def test_any_key_can_be_erased(self, store: WritableStore, key: str) -> None:
        store.put(key, b"sound")

        store.erase(key)

        assert list_keys(store) == []

    def test_verify_accepts_an_empty_and_a_filled_store(self, store: WritableStore) -> None:
        store.verify()
        store.put("anna/a.wav", b"sound")
        store.verify()
        store.verify("anna/")
