"""Follow a listing of S3 from page to page, also on servers whose continuation tokens do not work."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypedDict

from storage.errors import StorageDenied

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

MAX_EMPTY_PAGES = 100
"""Servers that filter after they count give a few empty pages in a row; a listing of nothing else is broken."""


class PageStart(TypedDict, total=False):
    """Where a page of a listing begins: after a key, or where the page before it ended."""

    StartAfter: str
    ContinuationToken: str


def follow_pages(
    ask: Callable[[PageStart], "ListObjectsV2OutputTypeDef"], start: PageStart
) -> Iterator["ListObjectsV2OutputTypeDef"]:
    """Ask for page after page until the server says that there is no more.

    A server that says "truncated" without a token, or whose token leads back to where it was, is asked for what comes
    after the last key. One whose pages lead nowhere ends the listing with an error; the pages before it were given.

    Args:
        ask: fetches the page that begins somewhere.
        start: where the first page begins.

    Yields:
        What the server answered, page by page, none twice.

    Raises:
        StorageDenied: the listing does not go on: neither a token nor the last key leads further, or a hundred pages
            in a row are empty.
    """
    ends: dict[str, None] = {}  # the last key of each page, in order
    n_empty, tokens_work = 0, True
    while True:
        answer = ask(start)
        end = next((item["Key"] for item in reversed(answer.get("Contents", []))), None)
        n_empty = 0 if end else n_empty + 1
        is_repeated = end in ends
        if end is not None and not is_repeated:
            ends[end] = None
            yield answer
        if not answer.get("IsTruncated"):
            return
        token = answer.get("NextContinuationToken")
        tokens_work = tokens_work and bool(token) and token != start.get("ContinuationToken") and not is_repeated
        following: PageStart = {"ContinuationToken": token} if tokens_work and token else _after(ends)
        if n_empty > MAX_EMPTY_PAGES or not following or following == start:
            raise StorageDenied(
                f"the server says that its listing goes on, but gives nothing new after {len(ends)} pages: its "
                "ListObjectsV2 must continue by token or by StartAfter"
            )
        start = following


def _after(ends: dict[str, None]) -> PageStart:
    return {"StartAfter": next(reversed(ends))} if ends else {}
