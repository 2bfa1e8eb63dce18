"""Parts of the HTTP API by themselves: allowances, the audit's thread, the eraser's thread, and what is imported."""

import subprocess
import sys
import threading

import pytest
from api_samples import Client, a_key, running
from command import wait_until
from db_samples import new_sqlite

from api import server
from api.audit import AuditWriter
from api.erasing import Eraser
from api.limits import RateLimiter
from db import api_audit
from db.api_audit import Access

ACCESS = Access(key_id=1, tenant="default", method="GET", route="/x", status=200)


def test_a_key_that_asks_too_often_is_told_how_long_to_wait():
    now = [0.0]
    limiter = RateLimiter(2.0, clock=lambda: now[0])

    assert [limiter.take(1) for _ in range(5)] == [None] * 4 + [1]
    assert limiter.take(2) is None
    now[0] = 0.5
    assert [limiter.take(1) for _ in range(2)] == [None, 1]
    now[0] = 1000.0
    assert [limiter.take(1) for _ in range(5)] == [None] * 4 + [1]


def test_whoever_waits_as_long_as_told_is_answered():
    now = [0.0]
    limiter = RateLimiter(0.3, clock=lambda: now[0])
    for _ in range(20):
        wait_s = limiter.take(1)
        now[0] += wait_s or 0
        assert wait_s is None or limiter.take(1) is None


def test_a_server_says_so_with_status_and_header(tmp_path, monkeypatch):
    engine = new_sqlite(tmp_path)
    monkeypatch.setattr(server, "RateLimiter", lambda _, clock: RateLimiter(1.0, clock=clock))
    with running(engine) as port:
        app = Client(port, a_key(engine))
        answers = [app.get("/v1/models") for _ in range(8)]

    refused = [answer for answer in answers if answer.status == 429]
    assert refused
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert refused[0].json["type"] == "urn:tonalog:problem:too-many-requests"
    assert len(api_audit.read(engine, tenant="default")) == len(answers)


def test_rows_that_wait_together_are_written_together():
    batches, may_write = [], threading.Event()

    def record(batch):
        may_write.wait(10)
        batches.append(len(batch))

    writer = AuditWriter(record)
    writer.start()
    futures = [writer.write(ACCESS) for _ in range(20)]
    may_write.set()
    for future in futures:
        future.result(10)
    writer.stop()

    assert sum(batches) == 20
    assert len(batches) <= 3


def test_a_row_that_cannot_be_written_is_told_to_who_waits_and_the_next_one_is_tried():
    is_down = [True]

    def record(_batch):
        if is_down[0]:
            raise OSError("disk full")

    writer = AuditWriter(record)
    writer.start()
    with pytest.raises(OSError, match="disk full"):
        writer.write(ACCESS).result(10)
    is_down[0] = False
    writer.write(ACCESS).result(10)
    writer.stop()


def test_nothing_is_answered_that_cannot_be_audited(tmp_path, monkeypatch):
    engine = new_sqlite(tmp_path)
    monkeypatch.setattr(api_audit, "record", broken)
    with running(engine) as port:
        answer = Client(port, a_key(engine)).get("/v1/models")

    assert (answer.status, answer.json["type"]) == (500, "urn:tonalog:problem:internal")
    assert b"whisper" not in answer.body


def broken(*_):
    raise OSError("canary: disk full")


def test_an_eraser_tries_again_until_nothing_is_left():
    left = [OSError("down"), 2, 0]
    calls = []

    def carry_out():
        calls.append(1)
        end = left.pop(0) if left else 0
        if isinstance(end, Exception):
            raise end
        return end

    eraser = Eraser(carry_out, retry_s=0.01)
    eraser.start()
    assert wait_until(lambda: len(calls) == 3, timeout_s=60, every_s=0.01)
    eraser.wake()
    assert wait_until(lambda: len(calls) == 4, timeout_s=60, every_s=0.01)
    eraser.stop()


def test_the_api_loads_nothing_that_hears_or_scores():
    heavy = ("librosa", "onnxruntime", "soundfile", "av", "soxr", "webrtcvad", "celery", "worker", "torch")
    code = f"import sys, api.server, tonalog.commands.api; print(*(name for name in {heavy!r} if name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.split() == []
