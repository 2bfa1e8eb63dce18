"""A TCP proxy that can let its connections go dead without closing them, as a firewall or a lost host does."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

BLOCK_BYTES = 65_536


class Proxy:
    """Forwards connections to a port of this machine; `go_half_open` forgets those that are there."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._generation = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in [self._listener, *self._sockets]:
            with suppress(OSError):
                one.close()

    def go_half_open(self) -> int:
        """Forward nothing more of the connections that are there, and close none; return how many they are.

        New connections are served, as after a failover.
        """
        n_dead = len(self._sockets) // 2
        self._generation += 1
        self._sockets.clear()
        return n_dead

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=(*ends, self._generation), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, generation: int) -> None:
        with suppress(OSError):
            while block := source.recv(BLOCK_BYTES):
                if generation != self._generation:
                    threading.Event().wait()  # swallowed; the thread and its sockets stay until the process ends
                sink.sendall(block)
        if generation == self._generation:
            for one in (source, sink):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
