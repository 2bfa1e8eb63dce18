"""Read the URL of a mail server and check addresses; contacts nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo

_ADDRESS = re.compile(r"[^\s@<>,;\"\\]+@[^\s@<>,;\"\\]+")


class MailTls(StrEnum):
    """How a connection to a mail server is encrypted; the words are the schemes of its URL."""

    STARTTLS = "smtp"
    AT_ONCE = "smtps"
    NONE = "smtp+plain"


_PORTS = {MailTls.STARTTLS: 587, MailTls.AT_ONCE: 465, MailTls.NONE: 25}


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail is handed in; without `user` nobody logs in."""

    tls: MailTls
    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)


def read_url(url: str) -> MailServer:
    """Read the URL of a mail server.

    Raises:
        ValueError: it is none, or a password would go over the wire as plain text; the message does not repeat the URL.

    >>> read_url("smtp://tonalog:p%40ss@mail.example")
    MailServer(tls=<MailTls.STARTTLS: 'smtp'>, host='mail.example', port=587, user='tonalog')
    >>> read_url("smtp+plain://tonalog:secret@mail.example")
    Traceback (most recent call last):
    ValueError: sends the password as plain text: use smtp:// or smtps://
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        tls = MailTls(parts.scheme)
    except ValueError:
        host = None
    if not host or parts.path.strip("/") or parts.query:
        raise ValueError("no URL of a mail server; use one such as smtp://USER:PASSWORD@mail.example:587")
    if tls is MailTls.NONE and parts.username:
        raise ValueError("sends the password as plain text: use smtp:// or smtps://")
    return MailServer(
        tls=tls,
        host=host,
        port=port or _PORTS[tls],
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password or "") if parts.username else None,
    )


def check_address(address: str) -> str:
    """Return an address of a mail.

    Raises:
        ValueError: it is none.

    >>> check_address("night@ops.example")
    'night@ops.example'
    """
    if not _ADDRESS.fullmatch(address) or not address.isascii() or not address.isprintable():
        raise ValueError(f"{address!r} is no address; use one such as night@ops.example")
    return address


def _check_url(value: SecretStr | None) -> SecretStr | None:
    if value is None or not value.get_secret_value():
        return None
    read_url(value.get_secret_value())
    return value


def _check_recipients(value: str | None, info: ValidationInfo) -> str | None:
    words = [word.strip() for word in (value or "").split(",") if word.strip()]
    if info.data.get("smtp_url") is not None and not words:
        raise ValueError("is not set, and TONALOG_SMTP_URL is: name who gets the mail")
    return ", ".join(map(check_address, words)) or None


def _check_sender(value: str | None) -> str | None:
    return check_address(value.strip()) if value and value.strip() else None


# Compose passes a variable that is not set on as an empty one.
CaFile = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
ServerUrl = Annotated[SecretStr | None, AfterValidator(_check_url)]
Recipients = Annotated[str | None, AfterValidator(_check_recipients)]
Sender = Annotated[str | None, AfterValidator(_check_sender)]
