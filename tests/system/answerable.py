"""Hooks of schemathesis: make of its questions such as an app asks, where the document cannot say all of what is allowed.

A cursor is one that the server gave for the same question, which no schema can say; so none is sent. Of two days the later
one is `until`.
"""

import schemathesis


@schemathesis.hook
def before_call(_context, case, **_):
    query = case.query or {}
    query.pop("cursor", None)
    since, until = query.get("since"), query.get("until")
    if isinstance(since, str) and isinstance(until, str) and since > until:
        query["since"], query["until"] = until, since
