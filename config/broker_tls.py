"""How a `rediss://` broker is trusted and told who we are; opens no connection.

kombu takes a `rediss://` URL without further options for "any certificate will do" (kombu 5.7, `connection.py`), and so
does redis-py where `ssl_cert_reqs=none` stands in the URL. Here the certificate is always checked, its name included.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_TLS_SCHEME = "rediss"
_SCHEMES = ("redis", _TLS_SCHEME)


def is_tls(url: str) -> bool:
    """Say whether a broker URL asks for TLS.

    >>> is_tls("rediss://broker:6379/0"), is_tls("redis://broker:6379/0")
    (True, False)
    """
    return urlsplit(url).scheme == _TLS_SCHEME


def check_url(url: str) -> str:
    """Refuse another broker, and TLS options inside a broker URL: one of them would switch the check of the certificate off.

    Raises:
        ValueError: `url` is no Redis URL, or has an option `ssl_...`; the message does not repeat the URL, which holds
            the password.

    Examples:
        >>> check_url("rediss://broker/0?ssl_cert_reqs=none")
        Traceback (most recent call last):
            ...
        ValueError: 'ssl_cert_reqs' cannot stand in the URL: set TONALOG_BROKER_CA_FILE, _CERT_FILE and _KEY_FILE instead
    """
    if urlsplit(url).scheme not in _SCHEMES:
        raise ValueError("not a broker's URL; use redis://HOST:PORT/0 or rediss:// (TLS), or unset it for a file queue")
    for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name.startswith("ssl"):
            raise ValueError(
                f"{name!r} cannot stand in the URL: set TONALOG_BROKER_CA_FILE, _CERT_FILE and _KEY_FILE instead"
            )
    return url


def check_file(file: Path, url: str | None) -> Path:
    """Check a file of certificates or keys where it is named.

    Raises:
        ValueError: it does not exist, or the broker's URL does not ask for TLS.
    """
    if url is None or not is_tls(url):
        raise ValueError("needs a TONALOG_BROKER_URL that begins with rediss://")
    try:
        is_file = file.is_file()
    except OSError as error:
        raise ValueError(f"there is no file '{file}' ({error.strerror})") from error
    if not is_file:
        raise ValueError(f"there is no file '{file}'")
    return file


def tls_options(
    url: str, *, ca_file: Path | None, cert_file: Path | None, key_file: Path | None
) -> dict[str, Any] | None:
    """Return Celery's `broker_use_ssl`, or None where the URL does not ask for TLS.

    Args:
        url: the broker's.
        ca_file: CA certificates to trust besides those of the system.
        cert_file: our own certificate, for a broker that asks for one.
        key_file: its key; None: inside `cert_file`.
    """
    if not is_tls(url):
        return None
    files = {"ssl_ca_certs": ca_file, "ssl_certfile": cert_file, "ssl_keyfile": key_file}
    given = {name: str(file.resolve()) for name, file in files.items() if file is not None}
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True, **given}
