"""Sends requests, waits where the API asks for it, and tries again what can be tried again without doing it twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import BinaryIO

import httpx

from tonalog.client.errors import from_answer, unreachable

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
# With `Retry-After`; a 409 is that of a request that is being answered under the same `Idempotency-Key`.
_WAITABLE = {HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class Sender:
    """One connection pool to one API, under one key."""

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        timeout_s: float,
        retry_for_s: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where to send to.

        Raises:
            ValueError: the URL is no http or https URL, or the key holds what no key has.
        """
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no URL of the API: give http://HOST:PORT or https://HOST")
        if key is not None and not (key and key.isascii() and key.isprintable() and " " not in key):
            raise ValueError(
                "the key is empty or holds spaces, line ends or other signs: give what `keys create` printed"
            )
        self._url = url.rstrip("/")
        self._retry_for_s = retry_for_s
        self._sleep = sleep
        self._clock = clock
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(headers=headers, timeout=timeout_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        content: str | None = None,
        idempotency_key: str | None = None,
    ) -> bytes:
        """Send a request, again where that is safe, for `retry_for_s` at the most.

        What was not answered is sent again where twice is as good as once: GET, and what has an `Idempotency-Key`. A 409, 429
        or 503 with `Retry-After` did nothing, so that any request is sent again after it.

        Raises:
            ApiError: it was refused, or no answer came.
        """
        headers = {} if content is None else {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        is_repeatable = method == "GET" or idempotency_key is not None
        until_s = self._clock() + self._retry_for_s
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                answer = self._http.request(
                    method, self._url + path, params=dict(query), content=content, headers=headers
                )
            except httpx.TransportError as error:
                if not is_repeatable or self._clock() + wait_s > until_s:
                    raise unreachable(self._url, error) from error
                self._sleep(wait_s)
            else:
                if answer.is_success:
                    return answer.content
                asked_s = _asked_wait_s(answer)
                if asked_s is None or self._clock() + max(asked_s, wait_s) > until_s:
                    raise from_answer(answer.status_code, _read(answer))
                self._sleep(max(asked_s, wait_s))
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def put(self, url: str, content: bytes, *, headers: Mapping[str, str], has_key: bool) -> None:
        """Send a file once; to another server without the key.

        Raises:
            ApiError: it was refused or not answered.
            ValueError: another server is to get the key.
        """
        is_ours = url.startswith("/")
        if has_key and not is_ours:
            raise ValueError(f"{url!r} is no path of this API: nobody else gets its key")
        place = self._url + url if is_ours else url
        try:
            if has_key:
                answer = self._http.put(place, content=content, headers=dict(headers))
            else:
                answer = httpx.put(place, content=content, headers=dict(headers), timeout=self._http.timeout)
        except httpx.TransportError as error:
            raise unreachable(place.partition("?")[0], error) from error  # behind `?` a presigned URL has its right
        if not answer.is_success:
            raise from_answer(answer.status_code, _read(answer))

    def download(self, method: str, path: str, *, query: Mapping[str, str], file: BinaryIO) -> int:
        """Send a request once, and write what comes; gives the number of bytes.

        Raises:
            ApiError: it was refused, or the answer broke off.
        """
        n_bytes = 0
        try:
            with self._http.stream(method, self._url + path, params=dict(query)) as answer:
                if not answer.is_success:
                    answer.read()
                    raise from_answer(answer.status_code, _read(answer))
                for part in answer.iter_bytes():
                    n_bytes += file.write(part)
        except httpx.TransportError as error:
            raise unreachable(self._url, error) from error
        return n_bytes


def _asked_wait_s(answer: httpx.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    if answer.status_code not in _WAITABLE or not (text.isascii() and text.isdecimal()):
        return None
    return float(text)


def _read(answer: httpx.Response) -> object:
    try:
        document: object = answer.json()
    except ValueError:
        return None
    return document
