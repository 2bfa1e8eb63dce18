"""The behaviours of tests/unit/test_db_uploads.py, on a real PostgreSQL, and what two processes do at once there."""

import threading
from datetime import timedelta

import pytest
from db_samples import new_postgres

from db import idempotency, uploads
from db.erasures import Chosen
from db.erasures import begin as begin_erasure
from db.idempotency import BeingAnswered, Request
from db.reasons import ErasureScope
from tests.unit.test_db_uploads import *  # noqa: F403 - the tests themselves
from tests.unit.test_db_uploads import ask, begin


@pytest.fixture
def engine(postgres_server):
    with new_postgres(postgres_server) as engine:
        yield engine


def test_of_many_processes_with_one_request_one_begins_it(engine, key_id):
    begun = []

    def try_it():
        try:
            begun.append(idempotency.begin(engine, ask(key_id)))
        except BeingAnswered:
            begun.append(None)

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([one for one in begun if isinstance(one, Request)]) == 1
    assert len(begun) == 8


def test_an_erasure_waits_for_bytes_that_are_being_put_in_their_place_and_finds_them(engine, key_id):
    begin(engine, key_id)
    is_storing, may_end, order = threading.Event(), threading.Event(), []

    def store_it():
        is_storing.set()
        may_end.wait(20)
        order.append("stored")

    def erase():
        begin_erasure(engine, Chosen(subject="anna"), scope=ErasureScope.ALL)
        order.append("erased")

    receiving = threading.Thread(target=lambda: uploads.receive(engine, "default", "u1", store_it=store_it))
    erasing = threading.Thread(target=erase)
    receiving.start()
    assert is_storing.wait(20)
    erasing.start()
    erasing.join(timedelta(milliseconds=500).total_seconds())
    assert erasing.is_alive()
    may_end.set()
    for thread in (receiving, erasing):
        thread.join()

    assert order == ["stored", "erased"]
    assert uploads.find(engine, "default", "u1") is None
