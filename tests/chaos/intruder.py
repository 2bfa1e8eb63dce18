"""An intruder on the queue, as faults of a chaos run: it forges messages, gives commands and leaves junk behind."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from kombu.exceptions import ChannelError, OperationalError
from redis.exceptions import RedisError

from tests.chaos import forged
from tests.chaos.forged import Forged

if TYPE_CHECKING:
    from tests.chaos.faults import World

N_NAMED = 4
SPARSE_BYTES = 200 << 30
N_COMMANDS = 6
Forge = Callable[[list[int], random.Random, Path], list[Forged]]


def send_forged(forge: Forge, world: World, rng: random.Random) -> None:
    """Put forged messages among the others; those that name jobs name new ones and old ones."""
    messages = forge(_draw_ids(world, rng), rng, world.marker)
    rng.shuffle(messages)
    _in_thread(lambda: _put(world, messages))


def give_commands(world: World, rng: random.Random) -> None:
    """Broadcast remote commands that would change or end a process, and junk in place of one."""
    drawn = rng.sample(forged.commands(_draw_ids(world, rng)), N_COMMANDS)
    junk = rng.choice((b"", b"{", b"[]", b'{"body": 7}', rng.randbytes(50)))

    def give() -> None:
        for name, arguments in drawn:
            world.publisher.control.broadcast(name, arguments=arguments)
            world.forged["commands"] += 1
        redis = world.stack.redis
        if redis is not None:
            prefix = world.publisher.conf.broker_transport_options["global_keyprefix"]
            with redis.connect() as client:
                for channel in ("/0.celery.pidbox", "/0.celeryev/x"):
                    client.publish(f"{prefix}{channel}", junk)

    _in_thread(give)


def leave_junk(world: World, rng: random.Random) -> None:
    """Leave in the file queue's folders what is no message: links, pipes, folders, a huge file, names that are none."""
    options = world.publisher.conf.broker_transport_options
    messages, control = Path(options["data_folder_in"]), Path(options["control_folder"])
    queue = rng.choice(forged.QUEUES)
    name = f"{round(time.monotonic() * 1000)}_{uuid4()}"
    message = messages / f"{name}.{queue}.msg"
    tables = sorted(control.glob("*.exchange"))
    table = rng.choice(tables) if tables else control / "celery.pidbox.exchange"
    content = rng.choice((b"", b"{", b"[[7]]", b'[["x", "x", "x"]]', b"\xff", b"[" * 50_000))
    kinds: list[Callable[[], object]] = [
        message.mkdir,
        lambda: (message.mkdir(), (message / "file").write_bytes(b"x")),
        lambda: os.mkfifo(message),
        lambda: message.symlink_to(messages / "nowhere"),
        lambda: message.symlink_to(message),
        lambda: message.symlink_to("/dev/zero"),
        lambda: _make_sparse(message),
        lambda: _make_sparse(messages / f"{name}.msg"),
        lambda: message.write_bytes(b""),
        lambda: (messages / f".{name}.part").write_bytes(b"{"),
        lambda: (messages / f"{name}\n{forged.FORGED_LINE}.{queue}.msg").write_bytes(b"{"),
        lambda: (messages / f"{'x' * 200}.{queue}.msg").write_bytes(b"7"),
        lambda: Path(os.fsdecode(os.fsencode(messages) + f"/{name}".encode() + b"\xff.msg")).write_bytes(b"7"),
        lambda: table.write_bytes(content),
        lambda: (table.unlink(missing_ok=True), table.symlink_to("/dev/zero")),
        lambda: (table.unlink(missing_ok=True), os.mkfifo(table)),
    ]
    with contextlib.suppress(OSError):  # the name is taken already
        rng.choice(kinds)()
        world.forged["junk"] += 1


def _draw_ids(world: World, rng: random.Random) -> list[int]:
    known = world.job_ids()
    newest, older = known[-N_NAMED:], known[:-N_NAMED]
    return [*newest, *rng.sample(older, min(len(older), N_NAMED))] or [1]  # none where the database is away


def _put(world: World, messages: list[Forged]) -> None:
    options, redis = world.publisher.conf.broker_transport_options, world.stack.redis
    if redis is not None:
        with redis.connect() as client:
            for queue, content in messages:
                client.lpush(options["global_keyprefix"] + queue, content)
                world.forged["messages"] += 1
        return
    folder = Path(options["data_folder_in"])
    for queue, content in messages:
        (folder / f"{round(time.monotonic() * 1000)}_{uuid4()}.{queue}.msg").write_bytes(content)
        world.forged["messages"] += 1


def _in_thread(act: Callable[[], None]) -> None:
    """Act beside the driver: a frozen broker answers only after the driver has let it go on."""

    def try_to_act() -> None:
        with contextlib.suppress(
            OperationalError, ChannelError, RedisError, OSError
        ):  # the broker may be down just now
            act()

    threading.Thread(target=try_to_act, name="intruder", daemon=True).start()


def _make_sparse(file: Path) -> None:
    with file.open("wb") as made:
        made.truncate(SPARSE_BYTES)
