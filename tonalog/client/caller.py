"""Makes calls: one request and its document, all pages of a list, or a file."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import date
from types import TracebackType
from typing import BinaryIO, Self, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from tonalog.client.calls import Call
from tonalog.client.errors import ApiError
from tonalog.client.records import Nothing, Page, Record, Row
from tonalog.client.sending import Sender

Answer = TypeVar("Answer", bound=Record)
Value = str | int | date | None


class Caller:
    """Asks one API under one key; close it, or use it in a `with`."""

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 30.0, retry_for_s: float = 60.0) -> None:
        """Take where to ask.

        Args:
            url: of the API, such as `https://tonalog.example.org`; a path in it comes before every route.
            key: that `tonalog keys create` printed; `health` and `readiness` need none.
            timeout_s: how long to wait for an answer.
            retry_for_s: for how long to try again where the API says when, or is not there; 0: not at all.

        Raises:
            ValueError: the URL or the key cannot be one.
        """
        self._sender = Sender(url, key, timeout_s=timeout_s, retry_for_s=retry_for_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    def ask(self, call: Call[Answer], *, body: BaseModel | None = None, **values: Value) -> Answer:
        """Make a call of `tonalog.client.calls`.

        Args:
            call: which one.
            body: the document that it takes.
            **values: of its path and its parameters; None: not given.

        Raises:
            ApiError: it was refused or not answered; its subclasses say which.
        """
        content = None if body is None else body.model_dump_json(exclude_none=True)
        key = str(uuid.uuid4()) if call.has_idempotency_key else None
        answered = self._sender.send(
            call.method, _path(call.path, values), query=_query(call, values), content=content, idempotency_key=key
        )
        if call.answer is Nothing:
            return call.answer()
        try:
            return call.answer.model_validate_json(answered)
        except ValidationError as error:
            detail = f"{call.method} {call.path} answered with another document than this client knows: {error}"
            raise ApiError(200, "unknown-document", detail=detail) from error

    def download(self, call: Call[Nothing], file: BinaryIO, **values: Value) -> int:
        """Make a call that answers with a file, and write that as it comes; gives the number of bytes.

        It is not tried again: what came before it broke off is in the file.

        Raises:
            ApiError: it was refused, not answered, or broke off.
        """
        return self._sender.download(call.method, _path(call.path, values), query=_query(call, values), file=file)

    def put(self, url: str, content: bytes, *, headers: Mapping[str, str], has_key: bool) -> None:
        """Send a file to where an answer said, a path of the API or another server's URL.

        Raises:
            ApiError: it was refused or not answered.
        """
        self._sender.put(url, content, headers=headers, has_key=has_key)

    def walk(self, call: Call[Page[Row]], **values: Value) -> Iterator[Row]:
        """Make a call of a list, page by page as the rows are used."""
        while True:
            page = self.ask(call, body=None, **values)
            yield from page.rows
            if page.next_cursor is None:
                return
            values["cursor"] = page.next_cursor


def _path(template: str, values: Mapping[str, Value]) -> str:
    return re.sub(r"\{(\w+)\}", lambda part: _quote(str(values[part[1]])), template)


def _query(call: Call[Record], values: Mapping[str, Value]) -> dict[str, str]:
    return {name: str(values[name]) for name in call.query if values.get(name) is not None}


def _quote(part: str) -> str:
    """Write a part of a path.

    >>> _quote("a/b c"), _quote("..")
    ('a%2Fb%20c', '%2E%2E')
    """
    quoted = quote(part, safe="")
    return quoted.replace(".", "%2E") if set(part) == {"."} else quoted
