"""Hooks of schemathesis: make of its questions such as an app asks, where the document cannot say all of what is allowed.

A cursor is one that the server gave for the same question, which no schema can say; so none is sent. Of two days the later
one is `until`. The URL of a webhook is one of a public host.
"""

import schemathesis


@schemathesis.hook
def before_call(_context, case, **_):
    query = case.query or {}
    query.pop("cursor", None)
    since, until = query.get("since"), query.get("until")
    if isinstance(since, str) and isinstance(until, str) and since > until:
        query["since"], query["until"] = until, since
    body = case.body if isinstance(case.body, dict) else {}
    if isinstance(body.get("url"), str):  # most URLs are none of a public host
        body["url"] = "https://app.example/hooks"
    if case.headers is not None:
        case.headers.pop(
            "Idempotency-Key", None
        )  # one is good for one request, and the same few are drawn again and again
