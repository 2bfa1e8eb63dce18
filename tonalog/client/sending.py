"""Sends requests, waits where the API asks for it, and tries again what can be tried again without doing it twice."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus

import httpx

from tonalog.client.errors import from_answer, unreachable

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_WAITABLE = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


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

    def send(self, method: str, path: str, *, query: Mapping[str, str], content: str | None = None) -> bytes:
        """Send a request, again where that is safe, for `retry_for_s` at the most.

        What was not answered is sent again where twice is as good as once: GET, and POST, whose `Idempotency-Key` says that
        it is the same one. A 429 or 503 with `Retry-After` did nothing, so that any request is sent again after it.

        Raises:
            ApiError: it was refused, or no answer came.
        """
        headers = {} if content is None else {"Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        until_s = self._clock() + self._retry_for_s
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                answer = self._http.request(
                    method, self._url + path, params=dict(query), content=content, headers=headers
                )
            except httpx.TransportError as error:
                if method not in {"GET", "POST"} or self._clock() + wait_s > until_s:
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
