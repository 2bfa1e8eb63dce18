"""Sends one request to an address that was checked, within a time limit for all of it, and follows nowhere.

httpcore knows no proxy of the environment, no .netrc, no redirect, no cookie and no compression, unlike the clients that
are built on it. It gets its connection from here.
"""

import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpcore

from api.webhooks.addresses import (
    ForbiddenAddress,
    Network,
    Resolve,
    Target,
    UnusableUrl,
    find_addresses,
    parse_url,
    resolve,
)

TIMEOUT_S = 15.0
_MAX_READ = 4096  # of an answer's body, so that the other side gets it off its hands; nobody looks at it
_Options = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]]


class NotSent(Exception):
    """A request got no answer; the message says why, in our words, and quotes nothing that the other side sent."""


@dataclass(frozen=True, kw_only=True)
class Poster:
    """How requests are sent.

    Attributes:
        allowed: networks besides public addresses.
        ca_file: certificates to trust besides those of the system.
        timeout_s: for the whole request.
        resolve: from host and port to addresses.
    """

    allowed: Sequence[Network] = ()
    ca_file: Path | None = None
    timeout_s: float = TIMEOUT_S
    resolve: Resolve = field(default=resolve)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """POST a body and give the status of the answer.

        Raises:
            NotSent: there is no answer.
        """
        deadline = _Deadline(self.timeout_s)
        try:
            target = parse_url(url, allowed=self.allowed)  # again, since an operator may have changed what is allowed
            addresses = find_addresses(target, allowed=self.allowed, resolve=self.resolve)
        except (UnusableUrl, ForbiddenAddress) as error:
            raise NotSent(str(error)) from None
        except (OSError, UnicodeError):
            raise NotSent("its name cannot be resolved") from None
        try:
            return self._post(target, body, headers, backend=_Pinned(addresses, deadline))
        except httpcore.TimeoutException:
            raise NotSent(f"no answer within {self.timeout_s:g} s") from None
        except (httpcore.ConnectError, ssl.SSLError) as error:
            raise NotSent(_why_not_connected(error)) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            raise NotSent("the connection ended without an HTTP answer") from None

    def _post(
        self, target: Target, body: bytes, headers: Mapping[str, str], *, backend: httpcore.NetworkBackend
    ) -> int:
        url = httpcore.URL(
            scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
        )
        sent = {"Host": target.authority, "Content-Length": str(len(body)), "Connection": "close", **headers}
        with (
            httpcore.HTTPConnection(
                httpcore.Origin(url.scheme, url.host, target.port),
                ssl_context=self._trust if target.scheme == "https" else None,
                network_backend=backend,
            ) as connection,
            connection.stream("POST", url, headers=[*sent.items()], content=body) as answer,
        ):
            _read_a_little(answer)
            return answer.status

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context


class _Deadline:
    def __init__(self, timeout_s: float) -> None:
        self._ends_s = time.monotonic() + timeout_s

    def left(self, error: type[Exception]) -> float:
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise error
        return left_s


class _Pinned(httpcore.NetworkBackend):
    """Connects to the addresses that it was given, whatever name it is asked for."""

    def __init__(self, addresses: Sequence[str], deadline: _Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._tcp = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - resolved and checked before
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - ours is for the whole request
        local_address: str | None = None,
        socket_options: _Options | None = None,
    ) -> httpcore.NetworkStream:
        last: Exception = httpcore.ConnectError("no address")
        for n, address in enumerate(self._addresses):
            # A share for each, so that one that does not answer leaves time for the next.
            share_s = self._deadline.left(httpcore.ConnectTimeout) / (len(self._addresses) - n)
            try:
                stream = self._tcp.connect_tcp(
                    address, port, timeout=share_s, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return _Limited(stream, self._deadline)
        raise last


class _Limited(httpcore.NetworkStream):
    """A stream whose every wait ends with the deadline: an answer that comes byte by byte takes no longer."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, timeout=self._deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, timeout=self._deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left_s = self._deadline.left(httpcore.ConnectTimeout)
        return _Limited(self._stream.start_tls(ssl_context, server_hostname, timeout=left_s), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _read_a_little(answer: httpcore.Response) -> None:
    n_read = 0
    try:
        for part in answer.iter_stream():
            n_read += len(part)
            if n_read >= _MAX_READ:
                return
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        return  # its status is known


def _why_not_connected(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "TLS failed"
        cause = cause.__cause__ or cause.__context__
    return "no connection"
