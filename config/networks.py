"""Read lists of networks; contacts nobody."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator


def read_networks(value: str | None) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read networks with commas between.

    >>> [str(network) for network in read_networks("10.1.0.0/16, fd00::/8")]
    ['10.1.0.0/16', 'fd00::/8']
    """
    return tuple(ip_network(word.strip()) for word in (value or "").split(",") if word.strip())


def _check(value: str | None) -> str | None:
    if value is None or not value.strip():
        return None
    for word in value.split(","):
        try:
            ip_network(word.strip())
        except ValueError:
            raise ValueError(f"{word.strip()!r} is no network; use one such as 10.1.0.0/16") from None
    return value


Networks = Annotated[str | None, AfterValidator(_check)]
