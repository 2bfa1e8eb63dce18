"""Serves the metrics of one process at /metrics, on an address of its own: OpenMetrics, and Prometheus' text for who asks for it.

There is no key: whoever reaches the address reads the numbers. So it is this machine's own unless a setting says otherwise,
and it has nothing but counts. Nothing is looked up and no request is logged.
"""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.exposition import choose_encoder

PATH: Final = "/metrics"
_REQUEST_S = 10.0


class AddressTaken(Exception):
    """Nobody can listen at the address; its text names it and why."""


class MetricsServer:
    """Listens from the start, answers from `start` on."""

    def __init__(self, registry: CollectorRegistry, *, host: str, port: int) -> None:
        """Listen.

        Args:
            registry: what is told.
            host: a name or address of this machine.
            port: 1 to 65535; 0 takes any that is free.

        Raises:
            AddressTaken: It is not possible to listen there.
        """
        handler = type("Handler", (_Handler,), {"registry": registry})
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
                0
            ]
            self._server = type("Server", (_Server,), {"address_family": family})(address[:2], handler)
        except OSError as error:
            raise AddressTaken(f"{host}:{port} cannot be listened at ({error.strerror})") from error

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer in threads until the process ends."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # each would be a series more, which nobody asks for
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop_listening(self) -> None:
        """Give up the address; in a forked process, which must not keep it when its parent is gone, or before `start`."""
        self._server.socket.close()

    def stop(self) -> None:
        """Answer no more, and give up the address."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        # Not `HTTPServer.server_bind`: it asks the name service for the host's full name.
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: somebody hung up."""


class _Handler(BaseHTTPRequestHandler):
    registry: ClassVar[CollectorRegistry]
    timeout = _REQUEST_S
    server_version = "tonalog"
    sys_version = ""

    def do_GET(self) -> None:
        if urlsplit(self.path).path != PATH:
            self.send_error(HTTPStatus.NOT_FOUND, explain=f"metrics are at {PATH}")
            return
        write, content_type = choose_encoder(self.headers.get("Accept", ""))
        body = write(self.registry)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write no line a request."""
