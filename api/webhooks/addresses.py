"""Where webhooks may go: URLs as apps give them, and the addresses that their names lead to.

An app chooses the URL, and the request comes from inside our network. So only public addresses are taken, but for the
networks that an operator lists; and a connection goes to an address that was checked, not to a name that is asked again.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], list[str]]
MAX_URL = 2000
_URL = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+", re.ASCII)  # RFC 3986, without the fragment's `#`
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII
)
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)  # as the last part it makes a host an IPv4 address (WHATWG URL)
_PORTS = {"https": 443, "http": 80}
_FIRST_FREE_PORT = 1024  # below are mail, name and login services, which nobody means by a webhook
# What IANA has assigned so far (IPv6 Global Unicast Address Assignments); all other IPv6 is for special purposes.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
# Ways to an IPv4 address in the clothes of another one, and what Python 3.11 does not know as special yet.
_NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in ("192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]


class UnusableUrl(ValueError):
    """A URL that webhooks cannot be sent to; the message says why, and what is allowed."""


class ForbiddenAddress(Exception):
    """A name leads to an address that webhooks may not go to."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A URL in parts: `host` in lower-case ASCII, `path` with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and, where it is not that of the scheme, port, for the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_url(url: str, *, allowed: Sequence[Network]) -> Target:
    """Read a URL that an app gave.

    >>> parse_url("https://app.example/hooks?v=1", allowed=[]).path
    '/hooks?v=1'

    Args:
        url: the URL.
        allowed: networks that an operator allows; http:// is taken for these only.

    Raises:
        UnusableUrl: it is no https:// URL, has a user, a fragment or a port of another service, or names an address
            that is not public.
    """
    if len(url) > MAX_URL or not _URL.fullmatch(url):
        raise UnusableUrl(f"not a URL of at most {MAX_URL} ASCII characters without blanks and fragment")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise UnusableUrl("its host or port cannot be read") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and allowed):
        raise UnusableUrl("give an https:// URL; http:// is for networks in TONALOG_WEBHOOK_ALLOW only")
    if "@" in parts.netloc:
        raise UnusableUrl("a user or password in a URL is not sent: leave it out and check the signature")
    literal = _as_address(host)
    if literal is None and (not _HOST.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2])):
        raise UnusableUrl(f"{host[:100]!r} is no host name")
    if literal is not None and not is_allowed(literal, allowed):
        raise UnusableUrl(f"{literal} is not a public address")
    port = port if port is not None else _PORTS[parts.scheme]
    if port not in _PORTS.values() and port < _FIRST_FREE_PORT:
        raise UnusableUrl(f"port {port} is not one of 443 and {_FIRST_FREE_PORT} to 65535")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path)


def is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    """Say whether webhooks may go to an address: it is public, or in a network that an operator allows.

    >>> is_allowed(ipaddress.ip_address("::ffff:127.0.0.1"), []), is_allowed(ipaddress.ip_address("9.9.9.9"), [])
    (False, True)
    """
    mapped = getattr(address, "ipv4_mapped", None)
    plain: Address = address if mapped is None else mapped
    if any(plain in network for network in allowed):
        return True
    if plain.is_multicast or plain.is_reserved or not plain.is_global:
        return False
    if plain.version == 6 and plain not in _GLOBAL_UNICAST:  # noqa: PLR2004 - the version of IP
        return False
    return not any(plain in network for network in _NOT_PUBLIC)


def find_addresses(target: Target, *, allowed: Sequence[Network], resolve: Resolve) -> list[str]:
    """Ask once for the addresses of a target's host, and check each of them.

    Args:
        target: where a message goes.
        allowed: networks that an operator allows.
        resolve: from host and port to addresses.

    Returns:
        The addresses in the order of the resolver; one at least.

    Raises:
        ForbiddenAddress: one of them is not allowed, also where others are; or it is http:// to a public one.
        OSError: the name cannot be resolved.
    """
    found = resolve(target.host, target.port)
    if not found:
        raise OSError("no address")
    for text in found:
        address = _as_address(text)
        if address is None or not is_allowed(address, allowed):
            raise ForbiddenAddress("its name leads to an address that is not public")
        if target.scheme == "http" and not is_allowed_by_operator(address, allowed):
            raise ForbiddenAddress("http:// goes to networks in TONALOG_WEBHOOK_ALLOW only")
    return found


def is_allowed_by_operator(address: Address, allowed: Sequence[Network]) -> bool:
    """Say whether an address is in a network that an operator allows."""
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in allowed)


def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host.

    Raises:
        OSError: it has none.
    """
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _as_address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
