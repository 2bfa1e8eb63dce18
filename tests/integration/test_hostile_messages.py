"""What is no message of ours stops neither the process that reads the queue nor the sound jobs behind it."""

from __future__ import annotations

import base64
import json
import time
import zlib
from pathlib import Path

import pytest
from celery import Celery
from command import wait_until
from redis import Redis
from redis.exceptions import RedisError

from config.queues import SCHEDULER_QUEUE, TICK_TASK, celery_settings, lane_queue
from db import history, slots
from db.reasons import JobState
from tests.chaos.backends import BACKENDS
from tests.chaos.stage import Stage, staged

CALM = {"TONALOG_SOFT_TIME_LIMIT_S": "60", "TONALOG_TIME_LIMIT_S": "90", "TONALOG_LEASE_S": "20"}
PREFIX = "tonalog:"
CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "redis.conf"
LANE = lane_queue("nightly")
SEP = "\x06\x16"
MAX_GROWTH_MIB = 64
N_TICKS = 1_000


def encode(value) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode()


def forge(*, body=None, headers=None, properties=None, **fields) -> str:
    """A message as kombu writes it, with one thing wrong."""
    sound = {
        "body": encode([[1], {}, {}]) if body is None else body,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "tonalog.score", "id": "1", "lang": "py", **(headers or {})},
        "properties": {
            "delivery_tag": "tag",
            "delivery_info": {"exchange": "", "routing_key": LANE},
            "body_encoding": "base64",
            **(properties or {}),
        },
    }
    return json.dumps(sound | fields)


def make_bomb(mib: int) -> str:
    """Pack as many MiB of spaces: packed once, since each piece after a full flush is the same."""
    piece, packer = b" " * (1 << 20), zlib.compressobj(9)
    first, again = (packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    checksum = 1
    for _ in range(mib):
        checksum = zlib.adler32(piece, checksum)
    empty_last_block = b"\x03\x00"
    return encode(first + again * (mib - 1) + empty_last_block + checksum.to_bytes(4, "big"))


HOSTILE = {
    "no JSON": "{",
    "no text": b"\xff\xfe\x00",
    "deep JSON": "[" * 200_000,
    "a huge number": '{"properties": ' + "9" * 100_000 + "}",
    "a number": "7",
    "null": "null",
    "nothing": "{}",
    "no properties": json.dumps({"body": "", "headers": {}}),
    "properties null": '{"properties": null}',
    "properties a list": '{"properties": [], "headers": {}}',
    "no tag": json.dumps({**json.loads(forge()), "properties": {"delivery_info": {}}}),
    "a list for a tag": forge(properties={"delivery_tag": []}),
    "delivery null": forge(properties={"delivery_info": None}),
    "delivery a text": forge(properties={"delivery_info": "x"}),
    "no exchange": forge(properties={"delivery_info": {}}),
    "an exchange that is none": forge(properties={"delivery_info": {"exchange": "x\x00", "routing_key": "y"}}),
    "headers null": forge().replace('"headers": {', '"headers": null, "x": {'),
    "headers a list": json.dumps({**json.loads(forge()), "headers": []}),
    "a list for a task": forge(headers={"task": []}),
    "another task": forge(headers={"task": "celery.map"}),
    "no task": json.dumps({**json.loads(forge()), "headers": {}}),
    "a body that is a number": forge(body=7),
    "a deep body": forge(body=encode(b"[" * 200_000)),
    "a body in another alphabet": forge(properties={"body_encoding": "rot13"}),
    "a list for an encoding": forge(properties={"body_encoding": []}),
    "a body that is not base64": forge(body="***"),
    "pickle": forge(**{"content-type": "application/x-python-serialize"}),
    "an unknown character set": forge(**{"content-encoding": "nonsense"}),
    "a priority": forge(properties={"priority": "x"}, headers={"task": 1}),
    "1 GB packed by zlib": forge(body=make_bomb(1024), headers={"compression": "zlib"}),
    "an unknown compression": forge(headers={"compression": "x"}),
    "a list for a compression": forge(headers={"compression": [1]}),
}


def test_the_bomb_is_what_zlib_would_pack():
    assert zlib.decompress(base64.b64decode(make_bomb(3))) == b" " * (3 << 20)


@pytest.fixture
def stage(tmp_path):
    with staged(BACKENDS["redis-sqlite"], tmp_path, seed=3, n_workers=1, changes=CALM) as made:
        made.feeder.bring(["sound"])
        yield made


@pytest.fixture
def redis(stage):
    with Redis.from_url(stage.settings.broker) as client:
        yield client


def start_and_wait(stage: Stage) -> int:
    """Start the worker; return its process once it takes messages."""
    stage.workers[0].start()
    assert wait_until(lambda: make_client(stage).control.ping(timeout=1.0), timeout_s=60)
    return stage.workers[0].pid


def make_client(stage: Stage) -> Celery:
    client = Celery("intruder", set_as_current=False)
    client.conf.update(celery_settings(stage.settings))
    return client


def scan(stage: Stage):
    from scheduler.app import make_app  # noqa: PLC0415 - changes the temporary folder of this process
    from scheduler.service import Service  # noqa: PLC0415

    service = Service(stage.settings, make_app(stage.settings))
    service.scan_and_queue()
    return service


def read_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def is_done(stage: Stage) -> bool:
    return history.counts(stage.engine).by_state == {JobState.DONE: 1}


def assert_worker_serves(stage: Stage, pid: int) -> None:
    service = scan(stage)
    service.publish()
    assert wait_until(lambda: is_done(stage), timeout_s=30)
    assert stage.workers[0].pid == pid
    assert stage.workers[0].is_alive


def test_a_worker_outlives_every_message_that_is_none(stage, redis):
    pid = start_and_wait(stage)
    before_mib = read_mib(pid)

    for raw in HOSTILE.values():
        redis.lpush(PREFIX + LANE, raw)

    assert_worker_serves(stage, pid)
    assert read_mib(pid) - before_mib < MAX_GROWTH_MIB
    assert "Traceback" not in (stage.folder / "worker-0.log").read_text()


def test_a_worker_outlives_files_that_are_no_messages(tmp_path):
    with staged(BACKENDS["files-sqlite"], tmp_path, seed=3, n_workers=1, changes=CALM) as stage:
        stage.feeder.bring(["sound"])
        folder = stage.settings.home / "queue" / "messages"
        folder.mkdir(parents=True, exist_ok=True)
        for n, raw in enumerate(HOSTILE.values()):
            content = raw if isinstance(raw, bytes) else raw.encode()
            (folder / f"{n}_forged.{LANE}.msg").write_bytes(content)
        stage.workers[0].start()
        assert wait_until(lambda: stage.workers[0].is_ready, timeout_s=60)

        assert_worker_serves(stage, stage.workers[0].pid)


def test_the_broker_refuses_a_message_of_megabytes(redis):
    configured = dict(line.split() for line in CONFIGURATION.read_text().splitlines() if line.startswith("proto"))
    redis.config_set("proto-max-bulk-len", configured["proto-max-bulk-len"])

    with pytest.raises(RedisError):
        redis.lpush(PREFIX + LANE, b" " * (2 << 20))

    assert redis.llen(PREFIX + LANE) == 0


def test_a_worker_outlives_forged_bookkeeping_of_the_broker(stage, redis):
    pid = start_and_wait(stage)
    for n, raw in enumerate(["junk", "[]", "7", json.dumps([None, None, None]), "[" * 100_000]):
        redis.hset(PREFIX + "unacked", f"forged-{n}", raw)
        redis.zadd(PREFIX + "unacked_index", {f"forged-{n}": 1.0})
    for member in ("x", SEP.join(["", "", "elsewhere"]), SEP.join([LANE, "", "elsewhere"]), "a" + SEP):
        redis.sadd(f"{PREFIX}_kombu.binding.{LANE}", member)

    assert_worker_serves(stage, pid)
    assert wait_until(lambda: redis.zcard(PREFIX + "unacked_index") == 0, timeout_s=30)
    assert redis.llen(PREFIX + "elsewhere") == 0


@pytest.mark.parametrize("key", [LANE, "unacked", "unacked_index"])
def test_a_worker_outlives_a_text_in_the_place_of_a_queue(stage, redis, key):
    pid = start_and_wait(stage)
    redis.delete(PREFIX + key)
    redis.set(PREFIX + key, "x")
    redis.lpush(PREFIX + lane_queue("bulk"), forge())
    assert wait_until(lambda: redis.type(PREFIX + key) != b"string", timeout_s=30)

    assert_worker_serves(stage, pid)


def test_a_worker_outlives_forged_commands_and_events(stage, redis):
    pid = start_and_wait(stage)
    client = make_client(stage)
    client.control.broadcast("ping", pattern="(.*.*)*#", matcher="pcre")
    client.control.broadcast("ping", pattern="*a*" * 60 + "#", matcher="glob")
    client.control.broadcast("ping", arguments={"x": 1})
    client.control.broadcast("ping", destination=[7, {}])
    channels = [name.decode() for name in redis.pubsub_channels()]
    patterns = [
        b"tonalog:/0.celeryev/worker.heartbeat",
        b"tonalog:/0.celeryev/worker.elect",
        b"tonalog:/0.celeryev/worker-x",
    ]
    bodies = [7, [], {}, {"type": []}, {"type": "worker-heartbeat", "hostname": [], "timestamp": "x"}]
    bodies += [{"type": "worker-heartbeat", "hostname": "h", "timestamp": 1e308, "clock": "x", "event": 1}]
    bodies += [{"method": [], "arguments": 7, "reply_to": 7, "ticket": []}]
    for channel in [*channels, *patterns]:
        for raw in HOSTILE.values():
            redis.publish(channel, raw)
        for body in bodies:
            redis.publish(channel, forge(body=encode(body), headers={"hostname": [], "clock": "x"}))

    assert_worker_serves(stage, pid)
    assert client.control.ping(timeout=2.0)


def test_a_scheduler_outlives_the_same_and_goes_on_ticking(stage, redis):
    stage.scheduler.start()
    assert wait_until(lambda: "sweep" in slots.read_pulses(stage.engine), timeout_s=60)
    pid = stage.scheduler.pid
    queue = PREFIX + SCHEDULER_QUEUE

    for raw in HOSTILE.values():
        redis.lpush(queue, raw)
    redis.lpush(
        queue, forge(body=encode([[1, 2], {"x": 1}, {"chord": "x"}]), headers={"task": TICK_TASK, "timelimit": [1, 1]})
    )
    for _ in range(N_TICKS):
        redis.lpush(queue, forge(body=encode([[], {}, {}]), headers={"task": TICK_TASK}))
    client = make_client(stage)
    for command, arguments in {
        "shutdown": {},
        "cancel_consumer": {"queue": SCHEDULER_QUEUE},
        "pool_shrink": {"n": 2},
        "rate_limit": {"task_name": TICK_TASK, "rate_limit": "1/h"},
    }.items():
        client.control.broadcast(command, arguments=arguments)
    client.control.broadcast("ping", pattern="(.*.*)*#", matcher="pcre")
    time.sleep(2.0)

    stage.workers[0].start()
    assert wait_until(lambda: is_done(stage), timeout_s=60)
    assert wait_until(lambda: redis.llen(queue) == 0, timeout_s=30)
    assert stage.scheduler.pid == pid
    assert stage.scheduler.is_alive
