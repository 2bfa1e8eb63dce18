"""Erasing: what lies beside a recording names its person too, so it goes with it, and with nothing else."""

import db_samples
import pytest

from db import erasures
from db.reasons import ErasureScope
from scheduler.erasing import carry_out
from scheduler.scan import Naming, scan
from storage.protocol import MemoryStore


@pytest.fixture
def engine(tmp_path):
    return db_samples.new_sqlite(tmp_path)


def test_sidecars_go_with_their_recording_and_those_of_others_stay(engine):
    store = MemoryStore()
    for key in ("in/1.ogg", "in/2.ogg", "in/2.m4a", "in/3.ogg", "in/1.b.ogg"):
        store.put(key, key.encode())
    for key in ("in/1.json", "in/2.ogg.json", "in/2.json", "in/3.json", "in/1.b.json"):
        store.put(key, b'{"subject": "ben"}')
    for key in ("in/1.json", "in/2.ogg.json"):
        store.put(key, b'{"subject": "ana"}')
    scan(engine, store, prefix="", naming=Naming("...", "UTC"))

    erasures.begin(engine, erasures.Chosen(subject="ana"), scope=ErasureScope.ALL)
    carry_out(engine, lambda _name, _bucket: store)

    assert [item.key for page in store.list_objects() for item in page] == [
        "in/1.b.json",
        "in/1.b.ogg",
        "in/2.json",
        "in/2.m4a",
        "in/3.json",
        "in/3.ogg",
    ]
