"""What every store promises, checked on the two that need no server."""

import random
from pathlib import Path

import pytest
from storage_contract import StoreContract, WritableStore

from storage.local import LocalStore
from storage.protocol import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> WritableStore:
        return MemoryStore()


class TestLocalStore(StoreContract):
    has_metadata = False
    tells_versions_of_parts = False

    @pytest.fixture
    def store(self, tmp_path: Path) -> WritableStore:
        return LocalStore(tmp_path)


@pytest.mark.parametrize("seed", range(5))
def test_folder_lists_exactly_what_memory_lists(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    parts = ["a", "a-b", "a.b", "a0", "ab", "B", "é", "z z", ".h"]
    store, memory = LocalStore(tmp_path), MemoryStore()
    for _ in range(40):
        key = "/".join([*rng.choices(parts, k=rng.randrange(4)), rng.choice(parts) + ".wav"])
        store.put(key, b"sound")
        memory.put(key, b"sound")
    all_keys = [item.key for page in memory.list_objects() for item in page]

    for prefix in ["", "a", "a/", "a-", "a/a", ".h/", "nothing"]:
        for after in [None, *rng.sample(all_keys, 5), "a/", "zzz"]:
            expected = [item.key for page in memory.list_objects(prefix, start_after=after) for item in page]
            found = [item.key for page in store.list_objects(prefix, start_after=after) for item in page]
            assert found == expected, (prefix, after)
